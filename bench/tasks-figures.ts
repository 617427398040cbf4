// Takes one figure of the task queue, or of a peer, prints it as a line of JSON, and ends. What is
// compiled on the way has to be: each is run until it gets no faster.

import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fastq from 'fastq'
import { Journal } from '../lib/journal.ts'
import { createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { defineTask, TaskQueue } from '../tasks.ts'
import { cpu } from './child.ts'
import { type Figures, median } from './figures.ts'

const TASKS = 100_000
const CONCURRENCY = 8
const PRODUCERS = 200
const SECONDS = 3
const WARM_UP = 4 // runs of so many tasks
const RUNS = 5

const log = createLog('silent')
const bounds = { concurrency: CONCURRENCY, capacity: 1_000_000, keep: 1_000, log }
const nothing = async () => {}
const empty = defineTask('empty', (_payload: unknown) => {})
const payload = { user: 'alice', message: 'hello' }

// — an empty task, added at once with all the others —

async function own(size = TASKS): Promise<Figures> {
  const queue = new TaskQueue(bounds)
  return perTask(size, async () => {
    for (let i = 0; i < size; i++) queue.add(nothing)
    await queue.idle()
  })
}

async function fastqTask(): Promise<Figures> {
  const queue = fastq.promise(nothing, CONCURRENCY)
  return perTask(TASKS, async () => {
    for (let i = 0; i < TASKS; i++) queue.push(undefined)
    await queue.drained()
  })
}

async function pQueueTask(): Promise<Figures> {
  const queue = await newPQueue()
  return perTask(TASKS, async () => {
    for (let i = 0; i < TASKS; i++) queue.add(nothing)
    await queue.onIdle()
  })
}

// Its version 10 is for Node 22 and later.
async function newPQueue() {
  const options = { concurrency: CONCURRENCY }
  if (Number.parseInt(process.versions.node, 10) < 22) {
    return new (await import('p-queue-9')).default(options)
  }
  return new (await import('p-queue')).default(options)
}

/** The median of several runs of 100,000 tasks, so many of them together. */
async function perTask(size: number, run: () => Promise<void>): Promise<Figures> {
  const all: number[] = []
  for (let round = 0; round < WARM_UP + RUNS; round++) {
    global.gc!() // what the run before has left is not this one's
    const started = performance.now()
    for (let done = 0; done < TASKS; done += size) await run()
    all.push(((performance.now() - started) * 1_000) / TASKS)
  }
  return { 'µs each': median(all.slice(WARM_UP)) }
}

// — with the journal —

async function withJournal<T>(use: (queue: TaskQueue, file: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'meanwhile-bench-'))
  const file = join(folder, 'tasks.journal')
  const metrics = new Metrics()
  const journal = await Journal.open(file, { log, metrics })
  const queue = new TaskQueue({ ...bounds, metrics, journal })
  try {
    return await use(queue, file)
  } finally {
    await queue.idle()
    await journal.close()
    await rm(folder, { recursive: true })
  }
}

async function acknowledged(): Promise<Figures> {
  return withJournal(async (queue) => {
    let count = 0
    const produce = async (until: number) => {
      while (performance.now() < until) {
        await queue.add(empty, payload)
        count++
      }
    }
    const produceFor = async (seconds: number) => {
      const until = performance.now() + seconds * 1_000
      await Promise.all(Array.from({ length: PRODUCERS }, () => produce(until)))
      await queue.idle()
    }
    await produceFor(1) // to warm up
    count = 0
    const before = cpu()
    await produceFor(SECONDS)
    const after = cpu()
    return {
      'tasks/s': count / ((after.at - before.at) / 1_000),
      'µs of CPU each': ((after.used - before.used) * 1_000) / count,
    }
  })
}

async function alone(): Promise<Figures> {
  return withJournal(async (queue) => {
    const times: number[] = []
    for (let i = 0; i < 300; i++) {
      await queue.idle()
      const started = performance.now()
      await queue.add(empty, payload)
      times.push(performance.now() - started)
    }
    return { ms: median(times) }
  })
}

async function replay(): Promise<Figures> {
  return withJournal(async (queue, file) => {
    const adds = Array.from({ length: 33_333 }, () => queue.add(empty, payload))
    await Promise.all(adds) // each is one record, and two more when it runs
    await queue.idle()
    await queue.add(empty, payload)
    const copy = `${file}-copy`
    await copyFile(file, copy)
    const started = performance.now()
    const metrics = new Metrics()
    const journal = await Journal.open(copy, { log, metrics })
    new TaskQueue({ ...bounds, metrics, journal, definitions: [empty] })
    const ms = performance.now() - started
    await journal.close()
    return { ms }
  })
}

// — memory —

async function kept(): Promise<Figures> {
  const queue = new TaskQueue({ ...bounds, keep: TASKS })
  const before = await heap()
  for (let i = 0; i < TASKS; i++) queue.add(nothing)
  await queue.idle()
  const bytes = ((await heap()) - before) / TASKS
  await queue.find('') // so that it is still there when the heap is measured
  return { 'bytes each': bytes }
}

async function left(): Promise<Figures> {
  const queue = new TaskQueue(bounds)
  const run = async (thousands: number) => {
    for (let i = 0; i < thousands; i++) {
      for (let j = 0; j < 1_000; j++) queue.add(nothing)
      await queue.idle()
    }
    return heap()
  }
  const before = await run(500) // by then Node has let go of what it needed to start
  return { bytes: (await run(1_000)) - before }
}

async function heap(): Promise<number> {
  await sleep(50) // what this turn of the event loop still holds is no leak
  global.gc!()
  return process.memoryUsage().heapUsed
}

const figures: Readonly<Record<string, (size?: number) => Promise<Figures>>> = {
  own: () => own(),
  fastq: fastqTask,
  pQueue: pQueueTask,
  growth: own,
  acknowledged,
  alone,
  replay,
  kept,
  left,
}

const [, , name = '', size] = process.argv
console.log(JSON.stringify(await figures[name]!(Number(size))))
process.exit()
