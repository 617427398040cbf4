// Takes one figure of several servers, prints it as a line of JSON, and ends.

import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { WebSocket } from 'ws'
import { loadTasks } from '../lib/engines.ts'
import { createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { defineTask, TaskQueue } from '../tasks.ts'
import { type Figures, median } from './figures.ts'

const TASKS = 20_000
const AT_A_TIME = 100
const CONCURRENCY = 8
const KEEP = 1_000
const MESSAGES = 2_000
const payload = { user: 'alice', message: 'hello' }

/** So many are added, and done; the second time is what counts. */
async function rate(add: () => Promise<unknown>, counter: Counter): Promise<Figures> {
  let seconds = 0
  for (let round = 0; round < 2; round++) {
    const started = performance.now()
    const done = counter.reach(TASKS)
    let left = TASKS
    const produce = async () => {
      while (left-- > 0) await add()
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, produce))
    await done
    seconds = (performance.now() - started) / 1_000
  }
  return { 'tasks/s': TASKS / seconds }
}

/** Counts the runs. */
class Counter {
  #left = 0
  #resolve = () => {}

  hit(): void {
    if (--this.#left === 0) this.#resolve()
  }

  reach(count: number): Promise<void> {
    this.#left = count
    return new Promise((resolve) => {
      this.#resolve = resolve
    })
  }
}

// As its documentation has it for production: a connection for each, finished jobs with a bound.
async function bullmq(url: string): Promise<Figures> {
  const counter = new Counter()
  const connect = () => new Redis(url, { maxRetriesPerRequest: null })
  const queue = new Queue('bench', { connection: connect() })
  const worker = new Worker('bench', async () => counter.hit(), {
    connection: connect(),
    concurrency: CONCURRENCY,
    removeOnComplete: { count: KEEP },
    removeOnFail: { count: KEEP },
  })
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
  return rate(() => queue.add('empty', payload), counter)
}

async function meanwhile(url: string): Promise<Figures> {
  const counter = new Counter()
  const empty = defineTask('empty', async (_payload: unknown) => counter.hit())
  const log = createLog('silent')
  const metrics = new Metrics()
  const capacity = 1_000_000
  const bounds = { concurrency: CONCURRENCY, capacity, keep: KEEP, log, metrics }
  const more = { role: 'all', capacityPerOwner: capacity, threads: 1, blockedMs: 50 } as const
  const options = { ...bounds, ...more, lockSeconds: 30, definitions: [empty] }
  const tasks = (await loadTasks(url, options, new TaskQueue(bounds)))!
  await tasks.open()
  tasks.resume()
  return rate(() => tasks.add(empty, payload), counter)
}

async function crossing(from: string, to: string): Promise<Figures> {
  const [sender, reader] = await Promise.all([connectTo(from), connectTo(to)])
  const next = (socket: WebSocket, type: string) =>
    new Promise<void>((resolve) => {
      const hear = (data: unknown) => {
        if (!String(data).startsWith(`{"type":"${type}"`)) return
        socket.off('message', hear)
        resolve()
      }
      socket.on('message', hear)
    })
  const subscribed = next(reader, 'ok')
  reader.send('{"type":"subscribe","id":1,"topic":"room:bench"}')
  await subscribed
  const times: number[] = []
  for (let n = 0; n < MESSAGES; n++) {
    const came = next(reader, 'message')
    const started = performance.now()
    sender.send(`{"type":"publish","id":${n},"topic":"room:bench","data":${n}}`)
    await came
    times.push(performance.now() - started)
  }
  const sorted = times.slice(MESSAGES / 4).sort((a, b) => a - b) // without what was compiled first
  return {
    'ms, the median': median(sorted),
    'ms at p99': sorted[Math.floor(sorted.length * 0.99)]!,
  }
}

async function connectTo(port: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'meanwhile.v1')
  await new Promise((resolve) => socket.once('open', resolve))
  return socket
}

const figures: Readonly<Record<string, (...args: string[]) => Promise<Figures>>> = {
  bullmq,
  meanwhile,
  crossing,
}
const [, , name = '', ...args] = process.argv
console.log(JSON.stringify(await figures[name]!(...args)))
process.exit()
