// The inside of a thread: gets a job, finds the definition in the module that has it, runs it, and
// reports. Nothing of the queue is here but the name of the task and its payload.

import { parentPort } from 'node:worker_threads'
import { AbortableContext } from './context.ts'
import type { Definition } from './definition.ts'
import { describeError, stackOf } from './errors.ts'
import { isObject } from './json.ts'
import { compact, type Fields, LEVELS, type Log } from './log.ts'
import { Throttle } from './progress.ts'
import { isBinary, type Result, resultOf } from './result.ts'
import { isRetryable, NonRetryableError } from './retry.ts'
import type { Job, Report } from './threads.ts'

const port = parentPort!

// A job is done when its last report has been sent, and only then the next one comes.
port.on('message', async (job: Job) => {
  let last: Report
  try {
    last = { type: 'succeeded', result: await run(job) }
  } catch (error) {
    const stack = stackOf(error)
    last = {
      type: 'failed',
      error: { ...describeError(error), stack, isRetryable: isRetryable(error) },
    }
  }
  send(last)
})

async function run({ module, name, payload, id, attempt }: Job): Promise<Result> {
  const { work } = definitionOf(name, await import(module))
  let last: Report | undefined
  const tell = () => last && send(last)
  const throttle = new Throttle(tell)
  const onProgress = (fraction: number, note: string | null) => {
    last = { type: 'progress', fraction, note }
    throttle.hit()
  }
  const context = new AbortableContext(id, attempt, log(), { onProgress })
  try {
    const input = payload === undefined ? undefined : JSON.parse(payload)
    return resultOf(await work(input as never, context), true)
  } finally {
    throttle.stop()
    tell()
    context.close()
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
    port.postMessage(report) // the bytes are Node's own, which it does not give away
  }
}

// Bytes are handed over, not copied, if they are the whole of what they are a part of.
function transferable(report: Report): ArrayBuffer[] {
  if (report.type !== 'succeeded' || !isBinary(report.result)) return []
  const { buffer, byteLength } = report.result.bytes
  const isWhole = buffer.byteLength === byteLength && buffer instanceof ArrayBuffer
  return isWhole ? [buffer] : []
}

function log(): Log {
  const writer = (level: (typeof LEVELS)[number]) => (message: string, fields?: Fields) => {
    if (level !== 'silent') send({ type: 'log', level, line: compact({ ...fields, message }) })
  }
  const [debug, info, warn, error] = LEVELS.map(writer)
  return { debug: debug!, info: info!, warn: warn!, error: error! }
}
