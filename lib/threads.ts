// Threads for the work that would block the event loop. A thread runs one attempt at a time and is
// used again; cancelling one ends it, whatever it is doing. One that dies takes nothing with it but
// the attempt that it ran.

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { TaskContext } from './context.ts'
import type { Definition } from './definition.ts'
import { currentFields, type Fields, type Log, withFields } from './log.ts'
import type { Result } from './result.ts'
import { NonRetryableError } from './retry.ts'

/** What a thread is asked to do. */
export interface Job {
  readonly module: string
  readonly name: string
  readonly payload: string | undefined
  readonly id: string
  readonly attempt: number
}

/** What it says. The last message of a job is one of the last two. */
export type Report =
  | { readonly type: 'begun' } // its module is loaded
  | { readonly type: 'progress'; readonly fraction: number; readonly note: string | null }
  | { readonly type: 'log'; readonly line: string }
  | { readonly type: 'littered' } // it must not be used again
  | { readonly type: 'succeeded'; readonly result: Result }
  | { readonly type: 'failed'; readonly error: ThrownError }

/** Reports have a way of their own: what a task posts to the thread that started its own is not ours. */
export interface WorkerData {
  readonly port: MessagePort
}

export interface ThrownError {
  readonly name: string
  readonly message: string
  readonly stack: string
  readonly isRetryable: boolean
}

const START_TIMEOUT = 30_000 // milliseconds for the module to load
const ENTRY = new URL('./worker.ts', import.meta.url).href

/** As many as are asked for at a time: what bounds them is the slots of those who ask. */
export class Threads {
  readonly #all = new Set<Thread>()

  get size(): number {
    return this.#all.size
  }

  /** Rejects with what the task threw, or with an Error if the thread ended. */
  async run(
    definition: Definition<never>,
    payload: string | undefined,
    context: TaskContext,
    onBegin: () => void = () => {},
  ): Promise<Result> {
    const { name, thread: module } = definition
    const { id, attempt } = context
    const job = { module: module!.href, name, payload, id, attempt }
    const thread = [...this.#all].find(({ isIdle }) => isIdle) ?? this.#start()
    try {
      return await thread.run(job, context, onBegin)
    } catch (error) {
      // What nobody caught may have been left by the job before: this one is not blamed for it.
      if (thread.jobs === 1 || !thread.hasThrown || context.signal.aborted) throw error
      return this.#start().run(job, context, onBegin)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.end()))
  }

  #start(): Thread {
    const thread: Thread = new Thread(() => this.#all.delete(thread))
    this.#all.add(thread)
    return thread
  }
}

interface Current {
  readonly context: TaskContext
  readonly onBegin: () => void
  readonly fields: Fields
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
}

class Thread {
  /** That were given to it. */
  jobs = 0
  #isEnded = false
  readonly #channel = new MessageChannel()
  readonly #worker = startWorker({ port: this.#channel.port2 })
  #current: Current | undefined
  #isLittered = false
  #error: Error | undefined

  constructor(onGone: () => void) {
    this.#worker.unref()
    this.#channel.port1.on('message', (report: Report) => this.#hear(report)).unref()
    this.#worker.on('error', (error) => {
      this.#error = error as Error
    })
    this.#worker.on('exit', (code) => {
      this.#isEnded = true
      this.#hearTheRest()
      onGone() // before the attempt ends, so that its successor gets another thread
      this.#current?.reject(this.#error ?? new Error(`the thread ended with code ${code}`))
    })
  }

  /** It has ended by what nobody caught in it. */
  get hasThrown(): boolean {
    return this.#error !== undefined
  }

  get isIdle(): boolean {
    return !this.#isEnded && !this.#isLittered && !this.#current
  }

  async run(job: Job, context: TaskContext, onBegin: () => void): Promise<Result> {
    const { signal } = context
    this.jobs++
    const stop = () => this.end()
    signal.addEventListener('abort', stop)
    const late = setTimeout(() => this.#giveUp(), START_TIMEOUT)
    this.#worker.ref()
    try {
      return await new Promise<Result>((resolve, reject) => {
        const begin = () => {
          clearTimeout(late)
          onBegin()
        }
        this.#current = { context, onBegin: begin, fields: currentFields(), resolve, reject }
        if (signal.aborted) stop()
        else this.#channel.port1.postMessage(job)
      })
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', stop)
      this.#current = undefined
      this.#worker.unref()
      if (this.#isLittered) await this.end()
    }
  }

  async end(): Promise<void> {
    this.#isEnded = true
    await this.#worker.terminate()
  }

  #giveUp(): void {
    this.#error = new Error(`expected the module to load within ${START_TIMEOUT} ms`)
    this.end()
  }

  // At its exit, what it sent last is still on its way.
  #hearTheRest(): void {
    const { port1 } = this.#channel
    for (;;) {
      const received: { message: Report } | undefined = receiveMessageOnPort(port1)
      if (!received) break
      this.#hear(received.message)
    }
    port1.close()
  }

  #hear(report: Report): void {
    if (!this.#current) return
    const { context, fields, onBegin, resolve, reject } = this.#current
    if (report.type === 'begun') onBegin()
    else if (report.type === 'succeeded') resolve(report.result)
    else if (report.type === 'failed') reject(thrown(report.error))
    else if (report.type === 'littered') this.#isLittered = true
    else if (report.type === 'progress') context.progress(report.fraction, report.note ?? undefined)
    else withFields(fields, () => tell(context, report.line))
  }
}

function tell({ log }: TaskContext, line: string): void {
  const { level, message, ...fields } = JSON.parse(line)
  log[level as keyof Log](message, fields)
}

function thrown({ isRetryable, name, message, stack }: ThrownError): Error {
  const error = isRetryable ? new Error(message) : new NonRetryableError(message)
  return Object.assign(error, { name, stack })
}

// Node strips types in a thread as well, from 22.18 on. Before, tsx does, but `--import tsx` does not
// reach into a thread.
function startWorker(workerData: WorkerData): Worker {
  const options = { workerData, transferList: [workerData.port], execArgv: [] }
  if (process.features.typescript) return new Worker(new URL(ENTRY), options)
  const tsx = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const entry = JSON.stringify(ENTRY)
  const start = `import(${tsx}).then(({ register }) => { register(); return import(${entry}) })`
  return new Worker(start, { ...options, eval: true })
}
