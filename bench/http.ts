// What HTTP costs, beside bare `node:http`, Fastify, Hono, Express and FastAPI: how many requests a
// second one core answers, whose work is done behind the reply, and how long an answer takes.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child, type Cpu, node, shareOf } from './child.ts'
import type { Contest } from './contest.ts'
import { fastApi } from './fastapi.ts'
import { type Figures, quantile } from './figures.ts'
import { costs, type Profile } from './profile.ts'

const ROUNDS = 5
const FEWER = 3
const WARM_UP = 5_000 // milliseconds in which code becomes fast: V8 compiles on the server's core, too
const MEASURE = 1_500
const LOADS = 2 // processes, since one would hardly keep up with the fastest server
const CONNECTIONS = 64
const CROWD = 1_000 // connections

// More slots than by default, for tasks that take no time: with a journal a task has its slot already
// while it is written that it begins.
const SETTINGS = { PORT: '0', LOG_LEVEL: 'error', WORK_SECONDS: '0', CONCURRENCY: '256' }
const PACE = 2_000 // requests a second: what the slowest can do with half of its core

interface Flood {
  /** Replies a second. */
  readonly accepted: number
  readonly refused: number
  /** Milliseconds of each reply. */
  readonly times: readonly number[]
}

type Use = (server: Child, loads: readonly Child[]) => Promise<Figures>

/** A round of one server with a fresh folder for its journal and its file. */
async function measure(command: readonly string[], path: string, use: Use, env = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'meanwhile-bench-'))
  const files = { WORK_FILE: join(folder, 'log.txt'), JOURNAL: join(folder, 'journal') }
  const settings = { ...SETTINGS, ...files, ...env }
  const children = [new Child('server core', command, settings)]
  try {
    const port = await children[0]!.answer<number>()
    const load = [...node, join(import.meta.dirname, 'http-load.ts'), String(port), path]
    while (children.length <= LOADS) children.push(new Child('other cores', load))
    const [server, ...loads] = children
    await Promise.all(loads.map((child) => child.answer()))
    return await use(server!, loads)
  } finally {
    await Promise.all(children.map((child) => child.end()))
    await rm(folder, { recursive: true })
  }
}

/** So many connections that ask and ask. */
function flood(connections: number): Use {
  return async (server, loads) => {
    const floods = floodBy(loads, connections)
    const share = await shareIn(server, floods)
    return figuresOf(await floods, share)
  }
}

function floodBy(loads: readonly Child[], connections: number): Promise<Flood[]> {
  const ask = (load: Child) => load.ask<Flood>('flood', connections / LOADS, WARM_UP, MEASURE)
  return Promise.all(loads.map(ask))
}

/** At a rate that all of them can take. */
const pace: Use = async (server, loads) => {
  const flood = loads[0]!.ask<Flood>('pace', CONNECTIONS, PACE, WARM_UP, MEASURE)
  const share = await shareIn(server, flood)
  const { 'requests/s': rate, ...figures } = figuresOf([await flood], share)
  return { ...figures, 'requests/s': rate! } // the time comes first, as what counts
}

/** Whose code the time of a request is spent in. */
const look: Use = async (server, loads) => {
  const floods = floodBy(loads, CONNECTIONS)
  await sleep(WARM_UP)
  const profile = await server.ask<Profile>('profile', MEASURE)
  const { 'requests/s': rate } = figuresOf(await floods, 0)
  return costs(profile, rate!)
}

// While the load counts.
async function shareIn(server: Child, counting: Promise<unknown>): Promise<number> {
  await sleep(WARM_UP)
  const before = await server.ask<Cpu>('cpu')
  await counting
  return shareOf(before, await server.ask<Cpu>('cpu'))
}

function figuresOf(floods: readonly Flood[], share: number): Figures {
  const sum = (of: (flood: Flood) => number) => floods.reduce((all, flood) => all + of(flood), 0)
  const rate = sum(({ accepted }) => accepted)
  const refused = sum((flood) => flood.refused)
  const times = floods.flatMap((flood) => flood.times)
  return {
    'requests/s': rate,
    'ms, p50': quantile(times, 0.5),
    'ms, p99': quantile(times, 0.99),
    '% of its core': share,
    '% refused': (refused / (rate + refused)) * 100,
  }
}

// — the contests —

const ours = (name: string) => [...node, join(import.meta.dirname, 'http-servers.ts'), name]
const servers: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['meanwhile', 'node:http', 'Fastify', 'Hono', 'Express'].map((name) => [name, ours(name)]),
  ),
  ...(fastApi && { FastAPI: fastApi }),
}

function all(path: string, use: Use): Contest['contestants'] {
  const { meanwhile, ...peers } = servers
  const round = (command: readonly string[], env = {}) => {
    return () => measure(command, path, use, env)
  }
  return {
    'meanwhile, journal off': round(meanwhile!, { JOURNAL: 'off' }),
    'meanwhile, journal on': round(meanwhile!),
    ...Object.fromEntries(Object.entries(peers).map(([name, peer]) => [name, round(peer)])),
  }
}

// What meanwhile, and whoever wants to know a request in its log lines, can't do without.
const SCOPED = 'node:http with AsyncLocalStorage'
const withScope = {
  [SCOPED]: () => measure(ours(SCOPED), '/accept', flood(CONNECTIONS)),
}

export const contests: readonly Contest[] = [
  {
    title: 'Accept',
    about:
      'A POST with a small JSON object is answered with 202, and behind the reply runs a task that does nothing. ' +
      `Only meanwhile keeps track of it; the others forget it, and bare \`node:http\` has none. ${CONNECTIONS} connections ask and ask.`,
    rounds: ROUNDS,
    beside: 'node:http',
    contestants: { ...all('/accept', flood(CONNECTIONS)), ...withScope },
  },
  {
    title: 'Where the time of a request goes',
    about:
      'The requests of “Accept”, µs each by whose code it is. “tasks” is all that the queue calls; what ' +
      'else has no JavaScript is mostly the kernel. The profiler takes a part itself.',
    rounds: FEWER,
    beside: 'node:http',
    contestants: {
      'meanwhile, journal off': () =>
        measure(ours('meanwhile'), '/accept', look, { JOURNAL: 'off' }),
      'node:http': () => measure(ours('node:http'), '/accept', look),
      Fastify: () => measure(ours('Fastify'), '/accept', look),
    },
  },
  {
    title: 'Append',
    about:
      'The same, and behind the reply a line is appended to a file, with `appendFile` or what Python ' +
      'has for it: `POST /process` with `WORK_SECONDS=0`. meanwhile writes lines together that are ' +
      'at the same time, and refuses requests when 10,000 wait; the others have no bound.',
    rounds: FEWER,
    beside: 'node:http',
    contestants: all('/process', flood(CONNECTIONS)),
  },
  {
    title: 'Latency',
    about: `The requests of “Accept”, ${PACE.toLocaleString('en')} a second whatever the replies do; counted from when each was due.`,
    rounds: FEWER,
    beside: 'node:http',
    contestants: all('/accept', pace),
  },
  {
    title: 'Overload',
    about: `The requests of “Accept” from ${CROWD.toLocaleString('en')} connections that ask and ask. What is refused is not counted.`,
    rounds: FEWER,
    beside: 'node:http',
    contestants: all('/accept', flood(CROWD)),
  },
]
