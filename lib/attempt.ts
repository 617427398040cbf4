// One attempt at a task: its function is called, here or in a thread, and whatever it returns or
// throws, now or later, becomes an outcome. A cancel or a timeout that came first decides, also when
// the function returns later. A function that ends at once costs no promise.

import { AbortableContext } from './context.ts'
import { describeError, type Failure } from './errors.ts'
import { type Log, withFields } from './log.ts'
import { Throttle } from './progress.ts'
import { type Result, resultOf } from './result.ts'
import { isRetryable } from './retry.ts'
import type { Run } from './run.ts'
import type { Threads } from './threads.ts'
import type { LoopWatch } from './watch.ts'

export interface Outcome {
  /** Aborted: without a verdict, since the server is stopping. */
  readonly state: 'succeeded' | 'failed' | 'cancelled' | 'aborted'
  readonly error: Failure | null
  readonly result?: Result
  /** Another attempt would fail the same way. */
  readonly isFinal?: boolean
}

export interface Surroundings {
  readonly log: Log
  readonly threads: Threads
  readonly watch: LoopWatch
  readonly onBegin: (run: Run) => void
  readonly onProgress: (run: Run) => void
  /** Called once for each attempt, maybe before `start` returns. Must not throw. */
  readonly onEnd: (run: Run, outcome: Outcome, now: number) => void
}

export class Attempt {
  readonly #run: Run
  readonly #around: Surroundings
  readonly #context: AbortableContext
  readonly #started: number // `performance.now()`
  #throttle: Throttle<Run> | undefined // made on first use, as most tasks never tell

  constructor(run: Run, around: Surroundings, now: number) {
    this.#run = run
    this.#around = around
    this.#started = now
    this.#context = new AbortableContext(run.id, run.attempt, around.log, this)
  }

  start(): void {
    const { id, name, fields } = this.#run
    // Node 20 takes a microsecond for `{ ...fields, task }`.
    withFields(Object.assign({}, fields, { task: id, name }), () => this.#start())
  }

  /** Asks the function to stop, and stops a thread. */
  abort(reason: Error): void {
    this.#context.abort(reason)
  }

  /** Called by the function, through its context. */
  onProgress(fraction: number, note: string | null): void {
    const run = this.#run
    run.progress = fraction
    run.note = note
    this.#throttle ??= new Throttle(this.#around.onProgress)
    this.#throttle.hit(run)
  }

  #start(): void {
    try {
      const returned = this.#call()
      // Looking for a `then` is done in here, since what was returned may be a trap.
      if (!mayBePromise(returned)) return this.#succeed(returned)
      Promise.resolve(returned).then(
        (value) => this.#succeed(value),
        (error) => this.#fail(error),
      )
    } catch (error) {
      this.#fail(error)
    }
  }

  #call(): unknown {
    const { threads, watch, onBegin } = this.#around
    const run = this.#run
    const { payload, work, input } = run
    const { definition } = run.kind
    if (definition?.thread) {
      return threads.run(definition, payload, this.#context, () => onBegin(run))
    }
    onBegin(run)
    try {
      if (!definition) return work!(input as never, this.#context)
      const copy = payload === undefined ? undefined : JSON.parse(payload)
      return definition.work(copy as never, this.#context)
    } finally {
      watch.check(performance.now() - this.#started)
    }
  }

  #succeed(returned: unknown): void {
    let result: Result
    try {
      const isOurs = this.#run.kind.definition?.thread !== undefined // a thread has seen to it
      result = isOurs ? (returned as Result) : resultOf(returned)
    } catch (error) {
      return this.#fail(error)
    }
    this.#end({ state: 'succeeded', error: null, result })
  }

  #fail(error: unknown): void {
    const state = this.#context.isAborted ? 'aborted' : 'failed'
    this.#end({ state, error: describeError(error), isFinal: !isRetryable(error) }, error)
  }

  #end(outcome: Outcome, error?: unknown): void {
    const { log, onEnd } = this.#around
    this.#context.close()
    this.#throttle?.flush()
    const { verdict, kind, attempt, policy } = this.#run
    const decided = verdict ?? outcome
    const now = performance.now()
    const duration = now - this.#started
    const ms = Math.round(duration)
    const fields = { attempt, attempts: policy.attempts, ms }
    if (decided.state !== 'failed') log.debug(`task ${decided.state}`, fields)
    else log.warn('task failed', { ...fields, error: verdict?.error ?? error })
    kind.figures.run.observe(duration / 1_000)
    onEnd(this.#run, decided, now)
  }
}

/** To be called when the function is about to be called: `onTimeout` is, if it takes longer than it may. */
export function startClock(run: Run, onTimeout: (reason: Error) => void): void {
  const { timeout } = run.policy
  clearTimeout(run.timer) // a job that got another thread begins twice
  if (timeout !== undefined) run.timer = setTimeout(() => onTimeout(timedOut(timeout)), timeout)
}

function timedOut(milliseconds: number): Error {
  const error = new Error(`expected the attempt to end within ${milliseconds} ms`)
  return Object.assign(error, { name: 'TimeoutError' })
}

function mayBePromise(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
