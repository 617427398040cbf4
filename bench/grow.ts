// What it costs to be several servers: tasks over Redis, beside BullMQ alone; a fan-out over two servers,
// beside one; a message from one server to the client of another.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Child, type Cpu, node, shareOf } from './child.ts'
import type { Contest } from './contest.ts'
import type { Figures } from './figures.ts'
import { hasRedis, withRedis } from './redis.ts'
import type { Count } from './ws-load.ts'

export const SHARED_TASKS = 'An empty task over Redis'
export const SHARED_ROOM = 'Fan-out to 1,000 over two servers'
export const CROSSING = 'A message from one server to the client of another'

const FOLLOWERS = 1_000
const WARM_UP = 3_000 // milliseconds
const MEASURE = 1_000

const file = (name: string, ...args: string[]) => [
  ...node,
  join(import.meta.dirname, name),
  ...args,
]
const server = file('ws-servers.ts', 'meanwhile')

async function tasks(name: string): Promise<Figures> {
  return withRedis('other cores', async (url) => {
    const child = new Child('server core', file('grow-figures.ts', name, url))
    try {
      return await child.answer<Figures>()
    } finally {
      await child.end()
    }
  })
}

/** The same followers and messages, on as many servers as there are places for them. */
async function fanOut(env: NodeJS.ProcessEnv, ...places: ('server core' | 'second core')[]) {
  const servers = places.map((place) => new Child(place, server, env))
  const load = new Child('last cores', file('ws-load.ts', 'meanwhile.v1'))
  try {
    const ports = await Promise.all(servers.map((one) => one.answer<number>()))
    await load.answer()
    await load.ask('tell', 'use', ...ports)
    await load.ask('tell', 'follow', FOLLOWERS)
    await load.ask('tell', 'publish', 1)
    await sleep(WARM_UP)
    const look = () => Promise.all([load.ask<Count>('tell', 'count'), servers[0]!.ask<Cpu>('cpu')])
    const [before, cpuBefore] = await look()
    await sleep(MEASURE)
    const [after, cpuAfter] = await look()
    const seconds = (after.at - before.at) / 1_000
    const deliveries = (after.messages - before.messages) / seconds
    return { 'deliveries/s': deliveries, '% of its core': shareOf(cpuBefore, cpuAfter) }
  } finally {
    await load.end()
    for (const one of servers) await one.end()
  }
}

async function crossing(): Promise<Figures> {
  return withRedis('last cores', async (BUS_URL) => {
    const places = ['server core', 'second core'] as const
    const servers = places.map((place) => new Child(place, server, { BUS_URL }))
    const ports = await Promise.all(servers.map((one) => one.answer<number>()))
    const load = new Child('last cores', file('grow-figures.ts', 'crossing', ...ports.map(String)))
    try {
      return await load.answer<Figures>()
    } finally {
      await load.end()
      for (const one of servers) await one.end()
    }
  })
}

/** None where there is no Redis. */
export const contests: readonly Contest[] = hasRedis
  ? [
      {
        title: SHARED_TASKS,
        about:
          'A job that does nothing, 20,000 times: 100 are added at a time, 8 run at a time, in one ' +
          'process, with a Redis on other cores. BullMQ only runs it; meanwhile counts it for its owner’s ' +
          'and everybody’s bound, can list it, and gives it a log scope and figures.',
        rounds: 5,
        beside: 'BullMQ',
        contestants: { meanwhile: () => tasks('meanwhile'), BullMQ: () => tasks('bullmq') },
      },
      {
        title: SHARED_ROOM,
        about:
          'Of 1,000 followers half are on each server, with a core each and a Redis on both: whoever has ' +
          'a message last publishes the next. Beside all of them on one server, without a bus.',
        rounds: 5,
        beside: 'one server',
        contestants: {
          'one server': () => fanOut({}, 'server core'),
          'two servers': () =>
            withRedis('both cores', (BUS_URL) => fanOut({ BUS_URL }, 'server core', 'second core')),
        },
      },
      {
        title: CROSSING,
        about:
          'One message after the other in a room, from when it is sent until the other client has it.',
        rounds: 3,
        contestants: { 'over Redis': crossing },
      },
    ]
  : []
