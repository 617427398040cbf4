// The life of a task from the line to its end: its attempts, one after the other, and what becomes of
// it between them.

import { Attempt, type Outcome, type Surroundings } from './attempt.ts'
import type { Commit } from './commit.ts'
import type { Failure } from './errors.ts'
import type { Kinds } from './kinds.ts'
import type { Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { backoffAfter } from './retry.ts'
import type { Room } from './room.ts'
import type { Changing, Run, Verdict } from './run.ts'
import { Scheduler } from './scheduler.ts'
import { Threads } from './threads.ts'
import { LoopWatch } from './watch.ts'

export interface RunnerOptions {
  readonly ledger: Ledger
  readonly room: Room
  readonly kinds: Kinds<Run>
  readonly log: Log
  readonly metrics: Metrics
  readonly blockedMs: number
}

const MAX_INTERRUPTIONS = 5
const FIRST = Number.POSITIVE_INFINITY // the priority of those that were interrupted
const MAX_TIMER = 2_147_483_647 // milliseconds: beyond, `setTimeout` fires at once

export class Runner {
  readonly running = new Set<Run>()
  readonly #ledger: Ledger
  readonly #room: Room
  readonly #scheduler: Scheduler
  readonly #around: Surroundings
  #interrupted: Run[] = [] // by a crash; they run again one at a time, the last one here first
  #rerun: Run | undefined // the one of them whose turn it is
  #phase: 'open' | 'holding' | 'stopped' | 'crashed' = 'open'

  constructor({ ledger, room, kinds, log, metrics, blockedMs }: RunnerOptions) {
    this.#ledger = ledger
    this.#room = room
    this.#scheduler = new Scheduler(kinds.lanes, (run) => this.#start(run))
    this.#around = {
      log,
      threads: new Threads(),
      watch: new LoopWatch({ blockedMs, log, metrics }),
      onProgress: (run) => ledger.tell(run),
      onEnd: (run, outcome) => this.#settle(run, outcome),
    }
    metrics.gauge('tasks_running', 'Tasks that run.', () => this.running.size)
    metrics.gauge('tasks_queued', 'Tasks that wait.', () => room.size - this.running.size)
    metrics.gauge('task_oldest_seconds', 'Age of the oldest that waits.', () => {
      const oldest = [...ledger.store].find((run) => run.state === 'queued')
      return oldest ? (Date.now() - oldest.createdAt) / 1_000 : 0
    })
  }

  /** Puts it in line for a slot, when it has waited so many milliseconds and `after` is over. */
  schedule(run: Run, wait: number, after?: Promise<unknown>): void {
    const turn = ++run.turn
    if (wait <= 0 && !after) return this.#scheduler.enter(run, run.policy.priority)
    const enter = () => {
      if (run.turn !== turn || run.state !== 'queued') return // cancelled meanwhile
      if (run.runAt !== null) this.#ledger.tell(Object.assign(run, { runAt: null }))
      this.#scheduler.enter(run, run.policy.priority)
    }
    const ready = () => (after ? after.then(enter, enter) : enter())
    if (wait <= 0) return void ready()
    after?.catch(() => {}) // until its time has come nobody else listens to it
    if (this.#mayStart(run)) run.timer = setTimeout(ready, Math.min(wait, MAX_TIMER))
  }

  /** Cancels one that has not ended. What runs ends only when its function returns. */
  cancel(run: Run): Commit | undefined {
    const verdict: Verdict = { state: 'cancelled', error: null }
    const isRunning = run.state === 'running'
    const commit = isRunning ? this.#ledger.change(run, { verdict }) : this.#end(run, verdict)
    if (isRunning) run.current?.abort(new Error('the task was cancelled'))
    else this.#goOn(run)
    return commit
  }

  /** Goes on with what had not ended when the process did. */
  resume(restored: readonly Run[]): void {
    for (const run of restored) {
      if (run.state === 'queued') this.schedule(run, (run.runAt ?? 0) - Date.now())
      else if (run.verdict) this.#conclude(run, run.verdict)
      else this.#interrupt(run)
    }
    // Those that were interrupted least go first: the one that does it every time comes last.
    this.#interrupted.sort((a, b) => b.interruptions - a.interruptions)
    this.#rerunNext()
  }

  /** Starts none any more that the journal has: there it can wait. */
  hold(): void {
    this.#phase = 'holding'
  }

  /**
   * Aborts what runs. After a restart it counts as interrupted if this is a crash. If it is not, the
   * attempt does not count at all.
   */
  abort(isCrash: boolean): void {
    this.#phase = isCrash ? 'crashed' : 'stopped'
    for (const run of this.running) {
      if (!isCrash && !run.verdict) this.#ledger.foretell(run, uncounted(run))
      run.current?.abort(new Error('the server is stopping'))
    }
  }

  async close(): Promise<void> {
    for (const run of this.#ledger.store) clearTimeout(run.timer)
    this.#around.watch.stop()
    await this.#around.threads.close()
  }

  #mayStart(run: Run): boolean {
    if (run.isJournaled && this.#ledger.failure) return false // its start could not be written
    return this.#phase === 'open' || (this.#phase === 'holding' && !run.isJournaled)
  }

  #start(run: Run): void {
    if (!this.#mayStart(run)) return this.#scheduler.leave(run)
    this.running.add(run)
    run.progress = run.note = null
    const attempt = run.attempt + 1
    const startedAt = Date.now()
    const change = { state: 'running', attempt, startedAt, runAt: null, error: null } as const
    const commit = this.#ledger.change(run, change)
    if (!commit) return this.#begin(run)
    // That it has begun is known even if it brings the process down at once.
    const begin = () => this.#begin(run)
    commit.written.wait().then(begin, begin)
  }

  #begin(run: Run): void {
    if (run.verdict) return this.#settle(run, run.verdict) // cancelled since
    const isTooLate = this.#phase === 'stopped' || this.#phase === 'crashed'
    if (isTooLate || (run.isJournaled && this.#ledger.failure)) return this.#putBack(run)
    const attempt = new Attempt(run, this.#around)
    run.current = attempt
    const { timeout } = run.policy
    if (timeout !== undefined) run.timer = setTimeout(() => this.#timeOut(run, timeout), timeout)
    attempt.start()
    const isOnLoop = !run.kind.definition?.thread
    if (isOnLoop && this.running.has(run)) this.#around.watch.follow(run)
  }

  #timeOut(run: Run, milliseconds: number): void {
    if (run.verdict) return
    const message = `expected the attempt to end within ${milliseconds} ms`
    const error = { name: 'TimeoutError', message }
    this.#ledger.change(run, { verdict: { state: 'failed', error } })
    run.current?.abort(Object.assign(new Error(message), error))
  }

  // Called by an attempt when its function has returned, or its thread has ended.
  #settle(run: Run, outcome: Outcome): void {
    clearTimeout(run.timer)
    const isAborted = outcome.state === 'cancelled' && !run.verdict
    if (isAborted && run.isJournaled) return this.#putBack(run)
    this.#leave(run)
    this.#conclude(run, outcome)
    this.#goOn(run)
  }

  // As if this attempt had not been. Only a crash leaves it in the journal, as one that was begun.
  #putBack(run: Run): void {
    this.#leave(run)
    if (this.#phase === 'crashed') Object.assign(run, uncounted(run))
    else this.#ledger.change(run, uncounted(run))
    this.#goOn(run)
  }

  #leave(run: Run): void {
    run.current = undefined
    this.running.delete(run)
    this.#scheduler.leave(run)
  }

  // Another one may have waited for this.
  #goOn(run: Run): void {
    if (run === this.#rerun) this.#rerunNext()
    this.#room.look()
  }

  #conclude(run: Run, outcome: Outcome): void {
    const { state, error, isFinal } = outcome
    const { attempts, backoff } = run.policy
    const isLast = isFinal || run.attempt >= attempts || this.#phase === 'stopped'
    if (state !== 'failed' || isLast) return void this.#end(run, outcome)

    const wait = Math.ceil(backoffAfter(run.attempt, backoff))
    run.kind.figures.retries.add()
    this.#ledger.change(run, { state: 'queued', runAt: Date.now() + wait, error, verdict: null })
    this.schedule(run, wait)
  }

  #end(run: Run, { state, error, result = null }: Outcome): Commit | undefined {
    if (run.state === 'queued') this.#scheduler.quit(run)
    clearTimeout(run.timer)
    this.#room.leave(run)
    if (state === 'succeeded') run.payload = run.work = run.input = undefined // others may be retried
    run.kind.figures[state].add()
    return this.#ledger.change(run, { state, result, error, verdict: null, endedAt: Date.now() })
  }

  // Its attempt was ended by a crash, maybe its own.
  #interrupt(run: Run): void {
    const interruptions = run.interruptions + 1
    run.kind.figures.interruptions.add()
    const message = `the process died ${interruptions} times while the task ran`
    const error: Failure = { name: 'InterruptedError', message }
    this.#ledger.change(run, { ...uncounted(run), interruptions })
    if (interruptions >= MAX_INTERRUPTIONS) this.#end(run, { state: 'failed', error })
    else this.#interrupted.push(run)
  }

  // One at a time, so that only the one that brings the process down is blamed for it.
  #rerunNext(): void {
    const run = this.#interrupted.pop()
    this.#rerun = run
    if (run?.hasEnded) this.#rerunNext()
    else if (run) this.#scheduler.enter(run, FIRST)
  }
}

function uncounted(run: Run): Partial<Changing> {
  return { state: 'queued', attempt: run.attempt - 1, startedAt: null }
}
