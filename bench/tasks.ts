// What the task queue costs, beside two queues that keep no track of their tasks: `npm run tasks`.
//
// Each figure is taken in a process of its own, the contestants in turn, several rounds; what is
// printed is the median and, in brackets, the least and the most. Lower is better, but for the rates.

import { execFileSync } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastq from 'fastq'
import PQueue from 'p-queue'
import { Journal } from '../lib/journal.ts'
import { createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { defineTask, TaskQueue } from '../tasks.ts'
import { machine, median, spread } from './figures.ts'

const ROUNDS = 7
const TASKS = 200_000
const CONCURRENCY = 8
const PRODUCERS = 200

const log = createLog('silent')
const nothing = async () => {}
const bounds = { concurrency: CONCURRENCY, capacity: 1_000_000, keep: 1_000, log }

// — an empty task, added at once with all the others, tracked or not: microseconds —

async function ownTask(): Promise<number> {
  const queue = new TaskQueue(bounds)
  return perTask(async () => {
    for (let i = 0; i < TASKS; i++) queue.add(nothing)
    await queue.idle()
  })
}

async function fastqTask(): Promise<number> {
  const queue = fastq.promise(nothing, CONCURRENCY)
  return perTask(async () => {
    for (let i = 0; i < TASKS; i++) queue.push(undefined)
    await queue.drained()
  })
}

async function pQueueTask(): Promise<number> {
  const queue = new PQueue({ concurrency: CONCURRENCY })
  return perTask(async () => {
    for (let i = 0; i < TASKS; i++) queue.add(nothing)
    await queue.onIdle()
  })
}

async function perTask(run: () => Promise<void>): Promise<number> {
  await run() // once to warm up
  const started = performance.now()
  await run()
  return ((performance.now() - started) * 1_000) / TASKS
}

// — with the journal —

const empty = defineTask('empty', (_payload: unknown) => {})

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

/** Tasks acknowledged a second by so many that each wait for one before they send the next. */
async function acknowledged(): Promise<number> {
  return withJournal(async (queue) => {
    let count = 0
    const until = performance.now() + 3_000
    const produce = async () => {
      while (performance.now() < until) {
        await queue.add(empty, { user: 'alice', message: 'hello' })
        count++
      }
    }
    const started = performance.now()
    await Promise.all(Array.from({ length: PRODUCERS }, produce))
    return (count / (performance.now() - started)) * 1_000
  })
}

/** Milliseconds until a single task is acknowledged. */
async function single(): Promise<number> {
  return withJournal(async (queue) => {
    const times: number[] = []
    for (let i = 0; i < 300; i++) {
      await queue.idle()
      const started = performance.now()
      await queue.add(empty, { user: 'alice', message: 'hello' })
      times.push(performance.now() - started)
    }
    return median(times)
  })
}

/** Milliseconds from an ended process with 100,000 records to a queue that goes on. */
async function replay(): Promise<number> {
  return withJournal(async (queue, file) => {
    const adds = Array.from({ length: 33_333 }, (_, n) => queue.add(empty, { n }))
    await Promise.all(adds) // each is one record, and two more when it runs
    await queue.idle()
    await queue.add(empty, 'the last one')
    const copy = `${file}-copy`
    await copyFile(file, copy)
    const started = performance.now()
    const metrics = new Metrics()
    const journal = await Journal.open(copy, { log, metrics })
    new TaskQueue({ ...bounds, metrics, journal, definitions: [empty] })
    const ms = performance.now() - started
    await journal.close()
    return ms
  })
}

// — memory —

/** Bytes of heap for each finished task that is kept. */
async function kept(): Promise<number> {
  const count = 100_000
  const queue = new TaskQueue({ ...bounds, keep: count })
  const before = heap()
  for (let i = 0; i < count; i++) queue.add(nothing)
  await queue.idle()
  const bytes = (heap() - before) / count
  await queue.find('') // so that it is still there when the heap is measured
  return bytes
}

/** Bytes of heap that a million tasks leave behind, after the first 100,000. */
async function left(): Promise<number> {
  const queue = new TaskQueue(bounds)
  const run = async (thousands: number) => {
    for (let i = 0; i < thousands; i++) {
      for (let j = 0; j < 1_000; j++) queue.add(nothing)
      await queue.idle()
    }
    return heap()
  }
  const before = await run(100)
  return (await run(1_000)) - before
}

function heap(): number {
  global.gc!()
  return process.memoryUsage().heapUsed
}

// — the runner —

const figures: Readonly<Record<string, [measure: () => Promise<number>, unit: string]>> = {
  'empty task, meanwhile': [ownTask, 'µs'],
  'empty task, fastq': [fastqTask, 'µs'],
  'empty task, p-queue': [pQueueTask, 'µs'],
  'acknowledged by the journal, 200 producers': [acknowledged, 'tasks a second'],
  'acknowledged by the journal, one alone': [single, 'ms'],
  'replay of 100,000 records': [replay, 'ms'],
  'one finished task that is kept': [kept, 'bytes'],
  'what a million tasks leave': [left, 'bytes'],
}

function measureAll(): void {
  const names = Object.keys(figures)
  const values = new Map(names.map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      const args = ['--expose-gc', import.meta.filename, name]
      values.get(name)!.push(Number(execFileSync(process.execPath, args, { encoding: 'utf8' })))
    }
  }
  console.log(`${machine}\n`)
  for (const [name, all] of values) console.log(`${name}: ${spread(all, figures[name]![1])}`)
  const ratio = (peer: string) =>
    median(values.get('empty task, meanwhile')!) / median(values.get(`empty task, ${peer}`)!)
  console.log(
    `\nan empty task: ${ratio('fastq').toFixed(2)} × fastq, ${ratio('p-queue').toFixed(2)} × p-queue`,
  )
}

const [, , only] = process.argv
if (only) console.log(await figures[only]![0]())
else measureAll()
