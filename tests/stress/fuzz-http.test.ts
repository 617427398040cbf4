// 10,000 mutated HTTP requests against a live server, open and guarded: it lives, nothing answers 500,
// whatever was valid has the right answer, and memory returns.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { request, TYPE } from '../exchanges.ts'
import { SECRET } from '../tokens.ts'
import { answersIn, checkAnswer, isLast } from './answers.ts'
import { fuzzTest, type Tally } from './fuzz.ts'
import {
  asUser,
  bytesOfCase,
  expectedOf,
  type HttpCase,
  httpCase,
  type Ids,
  type User,
  type World,
} from './http-cases.ts'
import type { Subject } from './subject.ts'
import { Talk } from './talk.ts'

const MAX_BODY = 4_096
const KEEP = 100

const ENV = {
  KEEP: String(KEEP),
  MAX_BODY: String(MAX_BODY),
  MAX_CONNECTIONS_PER_ADDRESS: '1000',
  THREADS: '1',
  WORK_SECONDS: '0.02',
}

/** Some third of what is seen. */
const SEEN = {
  ...{ '101': 20, '200': 900, '202': 300, '204': 30, '403': 200, '404': 700, '405': 200 },
  ...{ '409': 70, '413': 40, '415': 60, '417': 80, '421': 30, '422': 150, '426': 40, '505': 80 },
  'known in advance': 2_500,
}

const SHOWN_IDS: Ids = { DONE: 'DONE', WAITING: 'WAITING', FOREIGN: 'FOREIGN', UNKNOWN: 'UNKNOWN' }
const shownWorld: World = { isOpen: true, maxBody: MAX_BODY, ids: SHOWN_IDS }

const isMutated = ({ requests, mutations, splice }: HttpCase) =>
  mutations.length > 0 || splice || requests.some(({ body }) => body && body.edits.length > 0)

async function play(
  subject: Subject,
  cases: readonly HttpCase[],
  tally: Tally,
  isOpen: boolean,
): Promise<void> {
  const world = { isOpen, maxBody: MAX_BODY, ids: await makeTasks(subject) }
  const all = await Promise.allSettled(cases.map((one) => playOne(subject, one, world, tally)))
  for (const one of all) if (one.status === 'rejected') throw one.reason
}

async function playOne(subject: Subject, one: HttpCase, world: World, tally: Tally): Promise<void> {
  const bytes = bytesOfCase(one, world)
  const expected = expectedOf(one, world)
  const talk = new Talk(subject.port)
  await talk.send(bytes, one.cuts)
  if (one.end === 'reset') return talk.reset()
  if (expected) await talk.until((received) => isWhole(received, expected.length))
  else if (one.end === 'stay') await talk.quiet()
  await talk.end()

  const { answers } = answersIn(talk.received)
  for (const answer of answers) checkAnswer(answer)
  tally.add('closed without an answer', answers.length === 0 ? 1 : 0)
  for (const { status } of answers) tally.add(String(status))
  if (!expected) return
  tally.add('known in advance')
  // A connection that the server closes has no further answers.
  const last = answers.findIndex(({ headers }) => isLast(headers))
  const wanted = last < 0 ? expected : expected.slice(0, last + 1)
  const statuses = answers.map(({ status }) => status)
  const isRight =
    statuses.length === wanted.length && wanted.every((known, i) => known.includes(statuses[i]!))
  assert.ok(isRight, `expected ${JSON.stringify(wanted)}, got ${JSON.stringify(statuses)}`)
}

function isWhole(received: Buffer, count: number): boolean {
  const { answers, rest } = answersIn(received)
  return answers.length >= count && (rest.length === 0 || answers.at(-1)!.status === 101)
}

async function makeTasks(subject: Subject): Promise<Ids> {
  const [DONE, WAITING, FOREIGN] = [
    await addTask(subject, 'alice'),
    await addTask(subject, 'alice'),
    await addTask(subject, 'bob'),
  ]
  await ask(subject, /^(202|409)/, request(`DELETE /tasks/${DONE} HTTP/1.1`, asUser('alice')))
  return { DONE, WAITING, FOREIGN, UNKNOWN: randomUUID() }
}

async function addTask(subject: Subject, user: User): Promise<string> {
  const lines = [asUser(user), TYPE, 'Content-Length: 2']
  const body = await ask(subject, /^202/, `${request('POST /process HTTP/1.1', ...lines)}{}`)
  return JSON.parse(body).id
}

/** A request that is right, and the body of its answer. */
async function ask(subject: Subject, status: RegExp, bytes: string): Promise<string> {
  const talk = new Talk(subject.port)
  await talk.send(Buffer.from(bytes, 'latin1'))
  await talk.until((received) => isWhole(received, 1))
  await talk.end()
  const [answer] = answersIn(talk.received).answers
  assert.match(`${answer?.status} ${answer?.body}`, status)
  return String(answer?.body)
}

// All that has ended is pushed out by as many small tasks.
async function level(subject: Subject): Promise<void> {
  for (let i = 0; i < KEEP; i++) await addTask(subject, 'alice')
  for (;;) {
    const figures = await ask(subject, /^200/, request('GET /metrics HTTP/1.1', asUser('admin')))
    if (/^meanwhile_tasks_(queued|running) [^0]/m.test(figures)) await delay(20)
    else return
  }
}

function show(one: HttpCase): string {
  const bytes = bytesOfCase(one, shownWorld)
  return `${JSON.stringify(bytes.toString('latin1'))} (latin1), in ${JSON.stringify(one.cuts)}, ${one.end}`
}

for (const [title, isOpen, share] of [
  ['an open server outlives mutated HTTP requests', true, 0.6],
  ['a guarded server outlives mutated HTTP requests', false, 0.4],
] as const) {
  fuzzTest<HttpCase>(title, {
    file: 'fuzz-http.test.ts',
    env: isOpen ? ENV : { ...ENV, AUTH_SECRET: SECRET },
    cases: httpCase,
    together: 40,
    share,
    mutatedOf: (one) => (isMutated(one) ? 1 : 0),
    mutatedOnAverage: 0.6,
    play: (subject, cases, tally) => play(subject, cases, tally, isOpen),
    level,
    show,
    expected: isOpen ? SEEN : { ...SEEN, '401': 800 },
  })
}
