// WebSockets, beside a bare `ws` server, Socket.IO and FastAPI: echo, fan-out, memory, and what grows.
//
// The load is raw sockets that send prepared frames and read no more of what comes than they need.
// Its threads never sleep, so that no server has to wake them. The share of its core that a server
// used says whether it was the limit.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child, type Cpu, node, shareOf } from './child.ts'
import type { Contest } from './contest.ts'
import { fastApi } from './fastapi.ts'
import { type Figures, show } from './figures.ts'
import { costs, type Profile } from './profile.ts'
import type { Count, Times } from './ws-load.ts'

const ROUNDS = 5
const FEWER = 3
const FEWEST = 2 // of what takes long
const PROFILE = 1_500 // milliseconds
const WARM_UP = 3_000 // milliseconds: V8 compiles on the server's core, too
const MEASURE = 1_000
const HEARTBEAT = 2 // seconds, where it is waited for
const CONNECTIONS = 50 // of those who talk
const HELD = 10_000
const GROWTH = [1, 100, 1_000, 10_000]
const CPU = 'µs of CPU each'
const BUSY =
  'Two threads that never sleep read raw sockets: at 95 % of its core and more, the server is the limit.'
const FLOOR =
  '“writes” is the floor: the same frame written to one raw socket after the other, and nothing else.'

// — a server and its load —

interface Contestant {
  readonly server: readonly string[]
  readonly language: string
  readonly env?: NodeJS.ProcessEnv
}

const writes: Contestant = { server: file('ws-servers.ts', 'writes'), language: 'meanwhile.v1' }

type Use = (server: Child, load: Child, port: number) => Promise<Figures>
type Contestants = Contest['contestants']

const meanwhile: Contestant = {
  server: file('ws-servers.ts', 'meanwhile'),
  language: 'meanwhile.v1',
}

const all: Readonly<Record<string, Contestant>> = {
  meanwhile,
  ws: { server: file('ws-servers.ts', 'ws'), language: 'meanwhile.v1' },
  'socket.io': { server: file('ws-servers.ts', 'socket.io'), language: 'socket.io' },
  ...(fastApi && { FastAPI: { server: fastApi, language: 'meanwhile.v1' } }),
}

function file(name: string, ...args: string[]): string[] {
  return [...node, join(import.meta.dirname, name), ...args]
}

async function measure({ server: command, language, env }: Contestant, use: Use): Promise<Figures> {
  const server = new Child('server core', command, env)
  const load = new Child('other cores', file('ws-load.ts', language))
  try {
    const [port] = await Promise.all([server.answer<number>(), load.answer()])
    await load.ask('tell', 'use', port)
    return await use(server, load, port)
  } finally {
    await load.end()
    await server.end()
  }
}

function amongAll(use: Use): Contestants {
  return Object.fromEntries(
    Object.entries(all).map(([name, contestant]) => [name, () => measure(contestant, use)]),
  )
}

/** Without a subprotocol, and so without Socket.IO. */
function amongEchoes(use: Use): Contestants {
  const { 'socket.io': _, ...echoes } = all
  return Object.fromEntries(
    Object.entries(echoes).map(([name, { server }]) => {
      return [name, () => measure({ server, language: 'echo' }, use)]
    }),
  )
}

/** The same with more and more of something. */
function growing(use: (many: number) => Use, env: NodeJS.ProcessEnv = {}): Contestants {
  return Object.fromEntries(
    GROWTH.map((many) => [show(many), () => measure({ ...meanwhile, env }, use(many))]),
  )
}

// — rates —

async function echo(server: Child, load: Child): Promise<Figures> {
  await load.ask('tell', 'echo', CONNECTIONS)
  return rate(server, load, 'messages/s')
}

/** A room of so many: the next message is published when all have one of those under way. */
function fanOut(followers: number, underWay: number): Use {
  return async (server, load) => {
    await load.ask('tell', 'follow', followers)
    await load.ask('tell', 'publish', underWay)
    await sleep(followers) // meanwhile tells a room who has come, 100 names in 100 ms
    return rate(server, load, 'deliveries/s')
  }
}

/** Whose code the time of such a delivery is spent in. */
const look: Use = async (server, load) => {
  await load.ask('tell', 'follow', 1_000)
  await load.ask('tell', 'publish', 1)
  await sleep(WARM_UP)
  const before = await load.ask<Count>('tell', 'count')
  const profile = await server.ask<Profile>('profile', PROFILE)
  const { tasks: _, ...figures } = costs(
    profile,
    perSecond(before, await load.ask('tell', 'count')),
  )
  return figures
}

/** So many rooms with one reader each. */
function rooms(many: number): Use {
  return async (server, load) => {
    await load.ask('tell', 'read', many)
    await load.ask('tell', 'write', CONNECTIONS, many)
    const { [CPU]: cost, ...others } = await rate(server, load, 'messages/s')
    return { [CPU]: cost!, ...others }
  }
}

async function rate(server: Child, load: Child, unit: string): Promise<Figures> {
  const look = () => Promise.all([load.ask<Count>('tell', 'count'), server.ask<Cpu>('cpu')])
  await sleep(WARM_UP)
  const [count, cpu] = await look()
  await sleep(MEASURE)
  const [countAfter, cpuAfter] = await look()
  const messages = perSecond(count, countAfter)
  const share = shareOf(cpu, cpuAfter)
  return {
    [unit]: messages,
    '% of its core': share,
    [CPU]: (share * 10_000) / messages,
  }
}

function perSecond(before: Count, after: Count): number {
  if (after.messages === before.messages) throw new Error('expected messages')
  return ((after.messages - before.messages) / (after.at - before.at)) * 1_000
}

// — connections held —

/** What one idle connection takes, after others that came and went. */
async function idle(server: Child, load: Child): Promise<Figures> {
  await load.ask('tell', 'open', HELD / 10)
  await load.ask('tell', 'drop')
  const before = await server.ask<number>('rss')
  await load.ask('tell', 'open', HELD)
  return { bytes: ((await server.ask<number>('rss')) - before) / HELD }
}

/** `GET /healthz`, one after the other, for so long that each connection is pinged. */
function health(held: number): Use {
  return async (_server, load, port) => {
    await load.ask('tell', 'open', held)
    const before = await load.ask<Count>('tell', 'count')
    const { p50, p99, max } = await load.ask<Times>('health', port, (HEARTBEAT + 1) * 1_000)
    const { pings } = await load.ask<Count>('tell', 'count')
    if (pings - before.pings < held) throw new Error('expected a heartbeat within the measuring')
    return { 'µs, the median': p50, 'µs at p99': p99, 'µs, the slowest': max }
  }
}

function alone(followers: number, rounds: number): Contest {
  return {
    title: `Fan-out to ${show(followers)}, one message under way`,
    about: `100 bytes go to all; whoever has them last publishes the next message. ${FLOOR} ${BUSY}`,
    rounds,
    beside: 'ws',
    contestants: {
      ...amongAll(fanOut(followers, 1)),
      writes: () => measure(writes, fanOut(followers, 1)),
    },
  }
}

export const contests: readonly Contest[] = [
  {
    title: `Echo, ${CONNECTIONS} connections`,
    about: `Each sends a text of 20 bytes when the last one has come back. ${BUSY}`,
    rounds: ROUNDS,
    beside: 'ws',
    contestants: amongEchoes(echo),
  },
  alone(100, FEWER),
  alone(1_000, ROUNDS),
  alone(5_000, FEWER),
  {
    title: 'Where the time of a delivery goes',
    about:
      'Of a fan-out to 1,000, one message under way: µs each by whose code it is. “writes” is the time in ' +
      'Node’s call that writes, nearly all of it in the kernel. The profiler takes a part itself.',
    rounds: FEWER,
    beside: 'ws',
    contestants: {
      meanwhile: () => measure(meanwhile, look),
      ws: () => measure(all.ws!, look),
      writes: () => measure(writes, look),
    },
  },
  {
    title: 'Fan-out to 1,000, ten messages under way',
    about: `The same with ten at a time, which a server may put together. ${BUSY}`,
    rounds: FEWER,
    beside: 'ws',
    contestants: amongAll(fanOut(1_000, 10)),
  },
  {
    title: 'Memory of an idle connection',
    about: `What a server's resident memory grows by, for each of ${show(HELD)} connections.`,
    rounds: 1,
    beside: 'ws',
    contestants: amongAll(idle),
  },
  {
    title: '`/healthz` while so many connections are held',
    about: `One request after the other, while each connection has a heartbeat.`,
    rounds: FEWEST,
    contestants: growing(health, { HEARTBEAT_SECONDS: String(HEARTBEAT) }),
  },
  {
    title: 'A message in one of so many rooms',
    about: `${CONNECTIONS} connections publish to one room after the other; one reads all of them.`,
    rounds: FEWEST,
    contestants: growing(rooms),
  },
]
