// What WebSockets cost, beside a bare `ws` server and Socket.IO: `npm run ws`, or `node ws.ts NAME` for
// one round of one figure.
//
// Each figure is taken with a server and a load of its own, the contestants in turn, several rounds;
// what is printed is the median and, in brackets, the least and the most. The server has a core to
// itself, and the load the others: where the server's is busy (95 % and more), a rate is its limit.

import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Figures, machine, median, show, summary } from './figures.ts'
import type { Count } from './ws-load.ts'
import type { Time } from './ws-servers.ts'

const ROUNDS = 7
const FEWER = 3 // of what takes long
const LIMIT = 30_000 // milliseconds for any answer
const WARM_UP = 500
const MEASURE = 1_000
const HEARTBEAT = 5 // seconds: no rate takes so long
const MESSAGE = 16_000 // bytes, in a flood
const MEGABYTE = 1_000_000
const CPU = 'µs of CPU each'

const cores = availableParallelism()
const isPinned = pin()

/** Takes core 0 from what is started from here on, for the server. False: it can't be done. */
function pin(): boolean {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' })
    const others = ['-acp', `1-${cores - 1}`, String(process.pid)]
    execFileSync('taskset', others, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

// — a server and its load —

class Child {
  readonly #file: string
  readonly #process: ChildProcess
  readonly #ended: Promise<never>

  constructor(file: string, args: string[], launcher: string[] = []) {
    const [execPath, ...execArgv] = [...launcher, process.execPath, '--expose-gc']
    const env = { ...process.env, HEARTBEAT_SECONDS: String(HEARTBEAT) }
    this.#file = file
    this.#process = fork(join(import.meta.dirname, file), args, {
      execPath: execPath!,
      execArgv,
      env,
    })
    this.#ended = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`expected an answer from ${file}, but it ended with ${code}`)
    })
    this.#ended.catch(() => {}) // it is waited for in `answer`
  }

  /** What it says next. Rejects if it ends, or takes too long. */
  async answer<T>(): Promise<T> {
    const late = sleep(LIMIT, undefined, { ref: false }).then(() => {
      throw new Error(`expected an answer from ${this.#file} within ${LIMIT} ms`)
    })
    const [{ answer }] = await Promise.race([once(this.#process, 'message'), this.#ended, late])
    return answer
  }

  async ask<T>(...question: unknown[]): Promise<T> {
    this.#process.send(question)
    return this.answer()
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended.catch(() => {})
  }
}

type Use = (server: Child, load: Child, port: number) => Promise<Figures>

async function measure(contestant: string, language: string, use: Use): Promise<Figures> {
  const server = new Child('ws-servers.ts', [contestant], isPinned ? ['taskset', '-c', '0'] : [])
  let load: Child | undefined
  try {
    const port = await server.answer<number>()
    load = new Child('ws-load.ts', [language, String(port)])
    await load.answer()
    return await use(server, load, port)
  } finally {
    await load?.end()
    await server.end()
  }
}

// — rates —

/** 50 connections, each of which sends the next message when it has its echo. */
async function echo(server: Child, load: Child): Promise<Figures> {
  await load.ask('echo', 50)
  return rate(server, load, 'messages a second')
}

/** A room of 1,000: the next message is published when all have one of those under way. */
function fanOut(underWay: number): Use {
  return async (server, load) => {
    await load.ask('follow', 1_000)
    await load.ask('publish', underWay)
    return rate(server, load, 'deliveries a second')
  }
}

async function rate(server: Child, load: Child, unit: string): Promise<Figures> {
  const look = () => Promise.all([load.ask<Count>('count'), server.ask<Time>('cpu')])
  await sleep(WARM_UP)
  const [count, cpu] = await look()
  await sleep(MEASURE)
  const [countAfter, cpuAfter] = await look()
  const perSecond = ((countAfter.messages - count.messages) / (countAfter.at - count.at)) * 1_000
  if (perSecond === 0) throw new Error('expected messages')
  const share = (cpuAfter.used - cpu.used) / (cpuAfter.at - cpu.at)
  return {
    [unit]: perSecond,
    '% of its core': Math.round(share * 100),
    [CPU]: (share * 1_000_000) / perSecond,
  }
}

// — memory —

/** What one of 5,000 idle connections takes, after 500 that came and went. */
async function idle(server: Child, load: Child): Promise<Figures> {
  const count = 5_000
  await load.ask('open', 500)
  await load.ask('drop')
  const before = await server.ask<number>('rss')
  await load.ask('open', count)
  return { bytes: ((await server.ask<number>('rss')) - before) / count }
}

/** How the server grows while one of two followers reads nothing; both did in a flood before. */
function stalled(megabytes: number): Use {
  return async (server, load) => {
    const flood = async (isStalled: boolean) => {
      await server.ask('watch')
      await load.ask('flood', (megabytes * MEGABYTE) / MESSAGE, MESSAGE, isStalled)
      return (await server.ask<number>('peak')) / MEGABYTE
    }
    await flood(false) // the first one of a process is no measure
    await load.ask('drop')
    const read = await flood(false)
    await load.ask('drop')
    return { 'MB more': (await flood(true)) - read }
  }
}

// — 10,000 connections held —

/** `GET /healthz`, one after the other, for so long that each of 10,000 connections is pinged. */
async function health(_server: Child, load: Child, port: number): Promise<Figures> {
  const count = 10_000
  await load.ask('open', count)
  const before = await load.ask<Count>('count')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const times: number[] = []
  const until = performance.now() + (HEARTBEAT + 1) * 1_000
  while (performance.now() < until) {
    const started = performance.now()
    const request = get({ agent, port, host: '127.0.0.1', path: '/healthz', timeout: LIMIT })
    const [response] = await once(request, 'response')
    await once(response.resume(), 'end')
    times.push(performance.now() - started)
  }
  agent.destroy()
  const { pings } = await load.ask<Count>('count')
  if (pings - before.pings < count) throw new Error('expected a heartbeat within the measuring')
  return { 'ms, the median': median(times), 'ms, the slowest': Math.max(...times) }
}

// — the runner —

type Figure = readonly [rounds: number, contestant: string, language: string, use: Use]

const figures: Readonly<Record<string, Figure>> = {
  'echo, meanwhile': [ROUNDS, 'meanwhile', 'echo', echo],
  'echo, ws': [ROUNDS, 'ws', 'echo', echo],
  ...inRooms('fan-out, one under way', ROUNDS, fanOut(1)),
  ...inRooms('fan-out, ten under way', ROUNDS, fanOut(10)),
  ...inRooms('an idle connection', FEWER, idle),
  'healthz, 10,000 connections': [FEWER, 'meanwhile', 'meanwhile.v1', health],
  'a stalled reader of 200 MB, meanwhile': [FEWER, 'meanwhile', 'meanwhile.v1', stalled(200)],
  'a stalled reader of 64 MB, ws': [FEWER, 'ws', 'meanwhile.v1', stalled(64)],
}

function inRooms(name: string, rounds: number, use: Use): Record<string, Figure> {
  return {
    [`${name}, meanwhile`]: [rounds, 'meanwhile', 'meanwhile.v1', use],
    [`${name}, ws`]: [rounds, 'ws', 'meanwhile.v1', use],
    [`${name}, socket.io`]: [rounds, 'socket.io', 'socket.io', use],
  }
}

async function run(name: string): Promise<Figures> {
  const [, contestant, language, use] = figures[name]!
  return measure(contestant, language, use)
}

type Rounds = ReadonlyMap<string, Figures[]>

async function measureAll(): Promise<void> {
  const rounds: Rounds = new Map(Object.keys(figures).map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, [times]] of Object.entries(figures)) {
      if (round < times) rounds.get(name)!.push(await run(name))
    }
  }
  console.log(machine)
  console.log(isPinned ? 'The server has core 0, the load the others.' : 'Not pinned to cores.')
  console.log('Where its core is 95 % busy, a rate is the limit of the server, not of the load.\n')
  for (const [name, all] of rounds) console.log(`${name}: ${summary(all)}`)
  console.log('\nby the rates (and by CPU, which other work on the machine disturbs less):')
  for (const [name, peer] of [
    ['echo', 'ws'],
    ['fan-out, one under way', 'ws'],
    ['fan-out, one under way', 'socket.io'],
    ['fan-out, ten under way', 'ws'],
    ['fan-out, ten under way', 'socket.io'],
  ] as const) {
    const [rate, cost] = ratios(rounds.get(`${name}, meanwhile`)!, rounds.get(`${name}, ${peer}`)!)
    console.log(`${name}: ${show(rate)} (${show(cost)}) × ${peer}`)
  }
}

/** Each round is compared with the same round of the peer. */
function ratios(own: readonly Figures[], peer: readonly Figures[]): [rate: number, cost: number] {
  const rate = (figure: Figures) => Object.values(figure)[0]!
  return [
    median(own.map((figure, round) => rate(figure) / rate(peer[round]!))),
    median(own.map((figure, round) => peer[round]![CPU]! / figure[CPU]!)),
  ]
}

const [, , only] = process.argv
if (only) console.log(await run(only))
else await measureAll()
