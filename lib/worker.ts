// The inside of a thread: gets a job, finds the definition in the module that has it, runs it, and
// reports. Nothing of the queue is here but the name of the task and its payload.

import { constants, getPriority, setPriority } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { AbortableContext } from './context.ts'
import type { Definition } from './definition.ts'
import { describeError, stackOf } from './errors.ts'
import { isObject } from './json.ts'
import { compact, createLog } from './log.ts'
import { Throttle } from './progress.ts'
import { isBinary, type Result, resultOf } from './result.ts'
import { isRetryable, NonRetryableError } from './retry.ts'
import type { Job, Report, ThrownError, WorkerData } from './threads.ts'
import { TokenBucket } from './token-bucket.ts'

type Progress = { fraction: number; note: string | null }

const DROPPED = 'log lines of the thread were dropped'
const STEP = 10 // of niceness: about a tenth of the share, where cores are short
const LOG_RATE = 1_000 // lines a second: more would hold up the thread that has to write them

const { port } = workerData as WorkerData
const bucket = new TokenBucket(LOG_RATE, LOG_RATE)
let dropped = 0 // lines
stepBack()
const log = createLog('debug', tellLine, compact)

// A job is done when its last report has been sent, and only then the next one comes.
port.on('message', async (job: Job) => {
  const before = process.getActiveResourcesInfo().length
  const last = await run(job).then(
    (result): Report => ({ type: 'succeeded', result }),
    (error): Report => ({ type: 'failed', error: sent(error) }),
  )
  // What it threw where nobody catches it is its own: it ends this thread before the next job.
  await turn()
  await turn()
  if (dropped > 0)
    send({ type: 'log', line: compact({ level: 'warn', message: DROPPED, dropped }) })
  dropped = 0
  // A timer or a socket that was left behind would be in the way of the next job.
  if (process.getActiveResourcesInfo().length > before) send({ type: 'littered' })
  send(last)
})

// Where threads keep every core busy, the event loop would have to wait for one, milliseconds at a
// time: so they let it go first. Only on Linux is a priority the thread's own; elsewhere it is that of
// the whole process.
function stepBack(): void {
  if (process.platform !== 'linux') return
  try {
    setPriority(Math.min(getPriority() + STEP, constants.priority.PRIORITY_LOW))
  } catch {} // a sandbox may refuse it; then they stay equals
}

function tellLine(line: string): void {
  if (bucket.take()) send({ type: 'log', line })
  else dropped++
}

function sent(error: unknown): ThrownError {
  const stack = stackOf(error)
  return { ...describeError(error), stack, isRetryable: isRetryable(error) }
}

async function run({ module, name, payload, id, attempt }: Job): Promise<Result> {
  const { work } = definitionOf(name, await import(module))
  send({ type: 'begun' })
  const throttle = new Throttle<Progress>((newest) => send({ type: 'progress', ...newest }))
  const onProgress = (fraction: number, note: string | null) => throttle.hit({ fraction, note })
  const context = new AbortableContext(id, attempt, log, { onProgress })
  try {
    const input = payload === undefined ? undefined : JSON.parse(payload)
    return resultOf(await work(input as never, context), true)
  } finally {
    context.close()
    throttle.flush()
  }
}

function definitionOf(name: string, module: Record<string, unknown>): Definition<never> {
  for (const value of Object.values(module)) {
    if (isObject(value) && value.name === name && typeof value.work === 'function') {
      return value as never
    }
  }
  throw new NonRetryableError(`expected the module to export the definition "${name}"`)
}

function send(report: Report): void {
  try {
    port.postMessage(report, transferable(report))
  } catch {
    port.postMessage(copied(report)) // the bytes are not ours to give away
  }
}

function copied(report: Report): Report {
  if (report.type !== 'succeeded' || !isBinary(report.result)) return report
  const { type, bytes } = report.result
  return { ...report, result: { type, bytes: new Uint8Array(bytes) } }
}

// Bytes are handed over, not copied, if they are the whole of what they are a part of.
function transferable(report: Report): ArrayBuffer[] {
  if (report.type !== 'succeeded' || !isBinary(report.result)) return []
  const { buffer, byteLength } = report.result.bytes
  const isWhole = buffer.byteLength === byteLength && buffer instanceof ArrayBuffer
  return isWhole ? [buffer] : []
}
