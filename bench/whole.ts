// The whole server, as it is started: whether it still answers at once when every thread is at work,
// how long it takes to start, and how much memory it then has.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child, node } from './child.ts'
import type { Contest } from './contest.ts'
import { fastApi } from './fastapi.ts'
import type { Figures } from './figures.ts'

type Contestants = Contest['contestants']

const SERVER = join(import.meta.dirname, '../server.ts')
const PEERS = join(import.meta.dirname, 'http-servers.ts')
const LOAD = join(import.meta.dirname, 'whole-load.ts')
const WARM_UP = 1_500 // milliseconds
const SAMPLE = 4_000 // milliseconds
const PICTURES = 60 // more than are drawn meanwhile
const SETTLE = 500 // milliseconds

export const contests: readonly Contest[] = [
  {
    title: '/healthz while every thread draws',
    about:
      'One request after the other, of a server that may use all cores and has as many threads as ' +
      'by default: with nothing else to do, and while each thread draws one picture after the other.',
    rounds: 3,
    contestants: { idle: () => health(0), 'every thread draws': () => health(PICTURES) },
  },
  {
    title: 'Start',
    about:
      'From the start of the process to its first answer, and the memory that it then has. The ' +
      'servers of TypeScript are started as this Node does it: by itself, or with tsx.',
    rounds: 3,
    beside: 'node:http',
    contestants: {
      meanwhile: () => start([...node, SERVER]),
      ...(process.features.typescript && startedWithTsx()),
      'meanwhile with its journal': startWithJournal,
      ...peers('node:http', 'Fastify', 'Hono', 'Express'),
      ...(fastApi && { FastAPI: () => start(fastApi!) }),
    },
  },
]

// As `npm start` does it everywhere.
function startedWithTsx(): Contestants {
  const command = [process.execPath, '--import', 'tsx', SERVER]
  return { 'meanwhile with tsx': () => start(command) }
}

function peers(...names: readonly string[]): Contestants {
  return Object.fromEntries(names.map((name) => [name, () => start([...node, PEERS, name])]))
}

async function health(pictures: number): Promise<Figures> {
  const server = newServer([...node, SERVER])
  const load = new Child('any core', [...node, LOAD])
  try {
    const port = portOf(await server.answer())
    await load.answer()
    await load.ask('probe', port, WARM_UP)
    await load.ask('draw', port, pictures)
    await sleep(SETTLE)
    const { p50, p99 } = await load.ask<{ p50: number; p99: number }>('probe', port, SAMPLE)
    if (pictures > 0) await checkBusy(port)
    return { 'ms, p99': p99, 'ms, p50': p50 }
  } finally {
    await Promise.all([server.end(), load.end()])
  }
}

// A thread without a next picture would have been idle.
async function checkBusy(port: number): Promise<void> {
  const reply = await fetch(`http://127.0.0.1:${port}/tasks?state=queued`)
  const { tasks } = (await reply.json()) as { tasks: readonly unknown[] }
  if (tasks.length === 0) throw new Error('expected pictures that wait to be drawn, got none')
}

async function start(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Figures> {
  const started = performance.now()
  const server = newServer(command, env)
  try {
    await answerFrom(portOf(await server.answer()))
    const ms = performance.now() - started
    await sleep(SETTLE)
    return { ms, MB: memoryOf(server) }
  } finally {
    await server.end()
  }
}

async function startWithJournal(): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'meanwhile-bench-'))
  try {
    return await start([...node, SERVER], { JOURNAL: join(folder, 'tasks.journal') })
  } finally {
    await rm(folder, { recursive: true })
  }
}

function newServer(command: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  return new Child('any core', command, { PORT: '0', JOURNAL: 'off', ...env })
}

// Our own server says it in its log.
function portOf(first: number | { readonly url: string }): number {
  return typeof first === 'number' ? first : Number(new URL(first.url).port)
}

async function answerFrom(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  const [reply] = await once(socket, 'data')
  socket.destroy()
  const status = reply.toString('latin1', 9, 12)
  if (status !== '200') throw new Error(`expected 200, got ${reply}`)
}

/** Megabytes of memory that is its own or shared. */
function memoryOf({ pid }: Child): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024
}
