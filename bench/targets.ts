// What is aimed at: ratios within one run, and a few bounds. They are measured, never asserted: a
// machine with other work on it may miss any of them.

import { firstOf, type Rounds, ratio } from './contest.ts'
import { median } from './figures.ts'
import { CROSSING, SHARED_ROOM, SHARED_TASKS } from './grow.ts'

/** By the title of a contest. */
export type Results = ReadonlyMap<string, Rounds>

interface Target {
  readonly claim: string
  readonly least?: number
  readonly most?: number
  /** Undefined where a peer is not installed. */
  readonly measured: (results: Results) => number | undefined
}

const [OFF, ON] = ['meanwhile, journal off', 'meanwhile, journal on']
const FAN_OUT = 'Fan-out to 1,000, one message under way'

export const targets: readonly Target[] = [
  over('accepted tasks a second, journal off', 'Accept', OFF, 'node:http', 0.75),
  over('the same', 'Accept', OFF, 'Fastify', 0.95),
  over('the same', 'Accept', OFF, 'FastAPI', 3),
  over('the same, journal on', 'Accept', ON, 'node:http', 0.55),
  ...['node:http', 'Fastify', 'Hono', 'Express', 'FastAPI'].map((peer) =>
    over('`POST /process` with its append, journal off', 'Append', OFF, peer, 1),
  ),
  over('echo', 'Echo, 50 connections', 'meanwhile', 'ws', 0.95),
  over('echo', 'Echo, 50 connections', 'meanwhile', 'FastAPI', 3),
  over('fan-out to 1,000', FAN_OUT, 'meanwhile', 'ws', 1.15),
  over('fan-out to 1,000', FAN_OUT, 'meanwhile', 'socket.io', 1.5),
  over('fan-out to 1,000', FAN_OUT, 'meanwhile', 'FastAPI', 3.5),
  {
    claim: 'bytes of an idle connection',
    most: 8_192,
    measured: (results) => figure(results, 'Memory of an idle connection', 'meanwhile'),
  },
  under('the time of a tracked task', 'An empty task', 'meanwhile', 'fastq', 2),
  under('the same', 'An empty task', 'meanwhile', 'p-queue', 1),
  under(
    '`/healthz` at p99 while every thread draws',
    '/healthz while every thread draws',
    'every thread draws',
    'idle',
    3,
  ),
  over('tasks through `TASKS_URL`', SHARED_TASKS, 'meanwhile', 'BullMQ', 0.9),
  over('fan-out over two servers', SHARED_ROOM, 'two servers', 'one server', 0.8),
  {
    claim: 'milliseconds from a server to the client of another',
    most: 5,
    measured: (results) => figureIf(results, CROSSING, 'over Redis'),
  },
  growth('`/healthz`, 1 to 10,000 connections', '`/healthz` while so many connections are held'),
  growth('a message, 1 to 10,000 rooms', 'A message in one of so many rooms'),
  growth('a task, 10 to 100,000 queued', 'An empty task, by how many wait'),
]

/** At least so many times the peer. */
function over(what: string, title: string, own: string, peer: string, least: number): Target {
  return { ...beside(what, title, own, peer), least }
}

/** At most so many times the peer. */
function under(what: string, title: string, own: string, peer: string, most: number): Target {
  return { ...beside(what, title, own, peer), most }
}

function beside(what: string, title: string, own: string, peer: string) {
  const claim = `${what}, × ${peer}`
  const measured = (results: Results) => {
    const rounds = results.get(title)
    return rounds && ratio(rounds, own, peer)
  }
  return { claim, measured }
}

/** By which power of their number the cost of all together grows: 1 is linear. */
function growth(what: string, title: string): Target {
  const measured = (results: Results) => {
    const sizes = [...results.get(title)!.keys()]
    const [least, most] = [sizes[0]!, sizes.at(-1)!]
    const cost = figure(results, title, most) / figure(results, title, least)
    return 1 + Math.log(cost) / Math.log(numberOf(most) / numberOf(least))
  }
  return { claim: `growth of ${what} (1: linear)`, most: 1.1, measured }
}

function numberOf(size: string): number {
  return Number(size.replaceAll(',', ''))
}

function figureIf(results: Results, title: string, name: string): number | undefined {
  return results.has(title) ? figure(results, title, name) : undefined
}

/** The first figure of a contestant. */
function figure(results: Results, title: string, name: string): number {
  return median(results.get(title)!.get(name)!.map(firstOf))
}
