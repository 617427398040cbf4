// What the cases of both fuzz tests are about: users with tokens, and tasks of theirs, which are asked
// for rightly. And what a server keeps on purpose is brought to the same size here.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { request, TYPE } from '../exchanges.ts'
import { ADMIN, SECRET, tokenOf } from '../tokens.ts'
import { answersIn } from './answers.ts'
import type { Subject } from './subject.ts'
import { Talk } from './talk.ts'

/** Tasks by their role: alice's, but for the last two. */
export const ROLES = ['DONE', 'WAITING', 'FOREIGN', 'UNKNOWN'] as const
export type Role = (typeof ROLES)[number]
export type Ids = Readonly<Record<Role, string>>

/** What is known of the server. */
export interface World {
  readonly isOpen: boolean
  readonly ids: Ids
}

const FAR = 4_102_444_800 // 2100: a case has to be the same when it is replayed

const alice = tokenOf('alice', { exp: FAR })

export const TOKENS = {
  alice,
  bob: tokenOf('bob', { exp: FAR }),
  admin: tokenOf('root', { ...ADMIN, exp: FAR }),
  expired: tokenOf('alice', { exp: 1 }),
  early: tokenOf('alice', { exp: FAR, nbf: FAR }),
  nameless: tokenOf('a b', { exp: FAR }),
  forged: `${alice.slice(0, -2)}${alice.endsWith('A') ? 'BB' : 'AA'}`,
  unsigned: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${alice.split('.')[1]}.`,
  garbage: '.'.repeat(20),
}
export type TokenKind = keyof typeof TOKENS
export const TOKEN_KINDS = Object.keys(TOKENS) as TokenKind[]
export const GOOD_TOKENS: readonly TokenKind[] = ['alice', 'bob', 'admin']

const KEEP = 100

/** Little is kept, so that a leak is seen beside it. */
export function settings(isOpen: boolean): NodeJS.ProcessEnv {
  return {
    KEEP: String(KEEP),
    WORK_SECONDS: '0.02',
    THREADS: '1',
    MAX_CONNECTIONS: '4000',
    MAX_CONNECTIONS_PER_ADDRESS: '1000',
    ...(!isOpen && { AUTH_SECRET: SECRET }),
  }
}

/** For texts that name a task by its role. */
export const NAMED: Ids = { DONE: 'DONE', WAITING: 'WAITING', FOREIGN: 'FOREIGN', UNKNOWN: '-' }

export async function makeTasks(subject: Subject): Promise<Ids> {
  const [DONE, WAITING, FOREIGN] = [
    await addTask(subject, 'alice'),
    await addTask(subject, 'alice'),
    await addTask(subject, 'bob'),
  ]
  await ask(subject, /^(202|409)/, request(`DELETE /tasks/${DONE} HTTP/1.1`, as('alice')))
  return { DONE, WAITING, FOREIGN, UNKNOWN: randomUUID() }
}

/** Pushes out all tasks that have ended by as many small ones. */
export async function levelTasks(subject: Subject): Promise<void> {
  for (let i = 0; i < KEEP; i++) await addTask(subject, 'alice')
  for (;;) {
    const figures = await ask(subject, /^200/, request('GET /metrics HTTP/1.1', as('admin')))
    if (/^meanwhile_tasks_(queued|running) [^0]/m.test(figures)) await delay(20)
    else return
  }
}

export async function ticketFor(subject: Subject, kind: TokenKind): Promise<string> {
  const body = await ask(subject, /^200/, request('POST /ticket HTTP/1.1', as(kind)))
  return JSON.parse(body).ticket
}

async function addTask(subject: Subject, kind: TokenKind): Promise<string> {
  const lines = [as(kind), TYPE, 'Content-Length: 2']
  const body = await ask(subject, /^202/, `${request('POST /process HTTP/1.1', ...lines)}{}`)
  return JSON.parse(body).id
}

// An open server takes no notice of it.
function as(kind: TokenKind): string {
  return `Authorization: Bearer ${TOKENS[kind]}`
}

// The body of the answer to a request that is right.
async function ask(subject: Subject, expected: RegExp, bytes: string): Promise<string> {
  const talk = new Talk(subject.port)
  await talk.send(Buffer.from(bytes, 'latin1'))
  await talk.until(() => false)
  const [answer] = answersIn(talk.received).answers
  assert.match(`${answer?.status} ${answer?.body}`, expected)
  return String(answer?.body)
}
