// The life of a task from the line to its end: its attempts, one after the other, and what becomes of
// it between them.

import { Attempt, type Outcome, type Surroundings, startClock } from './attempt.ts'
import type { Backlog } from './backlog.ts'
import { MAX_TIMER } from './check.ts'
import { describeError } from './errors.ts'
import { Interrupted, MAX_INTERRUPTIONS } from './interrupted.ts'
import type { Commit } from './journal-commit.ts'
import type { Kinds } from './kinds.ts'
import type { Ledger } from './ledger.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { backoffAfter, MAX_BACKOFF } from './retry.ts'
import type { Run, Verdict } from './run.ts'
import { Scheduler } from './scheduler.ts'
import type { State } from './task.ts'
import { Threads } from './threads.ts'
import { LoopWatch } from './watch.ts'
import { whenOver } from './within.ts'

export interface RunnerOptions {
  readonly ledger: Ledger
  readonly backlog: Backlog
  readonly kinds: Kinds<Run>
  readonly log: Log
  readonly metrics: Metrics
  readonly blockedMs: number
}

const FIRST = Number.POSITIVE_INFINITY // the priority of those that were interrupted

export class Runner {
  readonly #ledger: Ledger
  readonly #backlog: Backlog
  readonly #scheduler: Scheduler
  readonly #around: Surroundings
  readonly #interrupted: Interrupted
  #phase: 'open' | 'holding' | 'stopped' | 'crashed' = 'open'

  constructor({ ledger, backlog, kinds, log, metrics, blockedMs }: RunnerOptions) {
    this.#ledger = ledger
    this.#backlog = backlog
    this.#scheduler = new Scheduler(kinds.lanes, (run, now) => this.#start(run, now))
    this.#around = {
      log,
      threads: new Threads(),
      watch: new LoopWatch({ blockedMs, log, metrics }),
      onBegin: (run) => startClock(run, (reason) => this.#timeOut(run, reason)),
      onProgress: (run) => ledger.tell(run),
      onEnd: (run, outcome, now) => this.#settle(run, outcome, now),
    }
    this.#interrupted = new Interrupted((run) => this.#scheduler.enter(run, FIRST))
  }

  /** Puts it in line for a slot, when it has waited so many milliseconds and `after` is over. */
  schedule(run: Run, after?: Promise<unknown>): void {
    if (run.state !== 'queued') return // cancelled meanwhile
    const turn = ++run.turn
    const wait = run.runAt === null ? 0 : run.runAt - Date.now()
    if (wait <= 0) return this.#enter(run, turn, after)
    after?.catch(() => {}) // until its time has come nobody else listens to it
    // No longer than it can be, should the clock have been set back.
    const most = Math.min(Math.max(run.policy.delay, MAX_BACKOFF), MAX_TIMER)
    if (!this.#mayStart(run)) return
    run.timer = setTimeout(() => this.#enter(run, turn, after), Math.min(wait, most))
  }

  /**
   * Cancels one that has not ended. What runs ends only when its function returns. Resolves to whether
   * that was in time. Rejects with a `QueueFullError` if the journal can't keep it.
   */
  async cancel(run: Run): Promise<boolean> {
    const verdict: Verdict = { state: 'cancelled', error: null }
    const is = (state: State) => run.state === state
    if (is('queued')) {
      const commit = this.#end(run, verdict)
      this.#interrupted.leave(run)
      await this.#ledger.confirm(commit)
      return true
    }
    try {
      await this.#ledger.confirm(this.#ledger.foretell(run, { verdict }))
    } finally {
      run.foretold = undefined
    }
    if (is('queued')) return this.cancel(run) // its attempt has failed meanwhile
    if (!is('running')) return false
    run.verdict = verdict
    this.#ledger.tell(run)
    run.current?.abort(new Error('the task was cancelled'))
    return true
  }

  /** Goes on with what had not ended when the process did. */
  resume(restored: readonly Run[]): void {
    const interrupted: Run[] = []
    for (const run of restored) {
      const isOwed = run.interruptions > 0 && run.startedAt === null // from the start before
      if (run.hasEnded || run.turn > 0) continue // cancelled or retried since
      if (run.state === 'queued' && isOwed) interrupted.push(run)
      else if (run.state === 'queued') this.schedule(run)
      else if (run.verdict) this.#conclude(run, run.verdict)
      else if (this.#interrupt(run)) interrupted.push(run)
    }
    this.#interrupted.begin(interrupted)
    const counts = { count: restored.length, interrupted: interrupted.length }
    if (restored.length > 0) this.#around.log.info('tasks go on', counts)
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
    for (const run of this.#backlog.running) {
      if (!isCrash && !run.verdict) this.#ledger.foretell(run, run.uncounted())
      run.current?.abort(new Error('the server is stopping'))
    }
  }

  async close(): Promise<void> {
    for (const run of this.#ledger.store) clearTimeout(run.timer)
    this.#around.watch.stop()
    await this.#around.threads.close()
  }

  #enter(run: Run, turn: number, after?: Promise<unknown>): void {
    if (after) return whenOver(after, () => this.#enter(run, turn))
    if (run.turn !== turn || run.state !== 'queued') return // called off, or cancelled
    if (run.runAt !== null) this.#ledger.tell(Object.assign(run, { runAt: null }))
    this.#scheduler.enter(run, run.policy.priority)
  }

  #mayStart(run: Run): boolean {
    if (this.#ledger.isClosedTo(run)) return false // its start could not be written
    return this.#phase === 'open' || (this.#phase === 'holding' && !run.isJournaled)
  }

  // `now` is that of `performance.now()` wherever it is handed on: to ask again takes a while.
  #start(run: Run, now: number): void {
    if (!this.#mayStart(run)) return this.#scheduler.leave(run, now)
    this.#backlog.begin(run)
    run.progress = run.note = null
    const commit = this.#ledger.change(run, {
      state: 'running',
      attempt: run.attempt + 1,
      startedAt: Date.now(),
      endedAt: null,
      runAt: null,
      error: null,
    })
    if (!commit) return this.#begin(run, now)
    // That it has begun is known even if it brings the process down at once.
    whenOver(commit.written.wait(), () => this.#begin(run, performance.now()))
  }

  #begin(run: Run, now: number): void {
    if (run.verdict) return this.#settle(run, run.verdict, now) // cancelled since
    const isTooLate = this.#phase === 'stopped' || this.#phase === 'crashed'
    if (isTooLate || this.#ledger.isClosedTo(run)) return this.#putBack(run, now)
    run.current = new Attempt(run, this.#around, now)
    run.current.start()
    if (!run.kind.definition?.thread && run.current) this.#around.watch.follow(run)
  }

  #timeOut(run: Run, reason: Error): void {
    if (run.verdict) return
    this.#ledger.change(run, { verdict: { state: 'failed', error: describeError(reason) } })
    run.current?.abort(reason)
  }

  // Called by an attempt when its function has returned, or its thread has ended.
  #settle(run: Run, outcome: Outcome, now: number): void {
    clearTimeout(run.timer)
    if (outcome.state === 'aborted' && run.isJournaled) return this.#putBack(run, now)
    this.#leave(run, now)
    this.#conclude(run, outcome)
    this.#interrupted.leave(run)
  }

  // As if this attempt had not been. Only a crash leaves it in the journal, as one that was begun.
  #putBack(run: Run, now: number): void {
    this.#leave(run, now)
    if (this.#phase === 'crashed') Object.assign(run, run.uncounted())
    else this.#ledger.change(run, run.uncounted())
    this.#interrupted.leave(run)
  }

  #leave(run: Run, now: number): void {
    run.current = undefined
    this.#backlog.stop(run)
    this.#scheduler.leave(run, now)
  }

  #conclude(run: Run, outcome: Outcome): void {
    const { state, error, isFinal } = outcome
    const { attempts, backoff } = run.policy
    const isGivenUp = this.#phase === 'stopped' && !run.isJournaled // nobody would try it again
    const isLast = isFinal || run.attempt >= attempts || isGivenUp
    if (state !== 'failed' || isLast) return void this.#end(run, outcome)

    run.kind.figures.retries.add()
    run.progress = run.note = null
    const runAt = Date.now() + Math.ceil(backoffAfter(run.attempt, backoff))
    this.#ledger.change(run, { state: 'queued', runAt, error, verdict: null, endedAt: null })
    this.schedule(run)
  }

  #end(run: Run, { state: how, error, result = null }: Outcome): Commit | undefined {
    const state = how === 'aborted' ? 'cancelled' : how
    run.turn++
    if (run.state === 'queued') this.#scheduler.quit(run)
    clearTimeout(run.timer)
    this.#backlog.leave(run)
    if (state === 'succeeded') run.payload = run.work = run.input = undefined // others may be retried
    run.kind.figures[state].add()
    const end = { state, result, error, verdict: null, runAt: null, endedAt: Date.now() }
    return this.#ledger.change(run, end)
  }

  // Its attempt was ended by a crash, maybe its own. Returns whether it may run again.
  #interrupt(run: Run): boolean {
    const interruptions = run.interruptions + 1
    const isLast = interruptions >= MAX_INTERRUPTIONS
    run.kind.figures.interruptions.add()
    this.#ledger.change(run, isLast ? { interruptions } : { ...run.uncounted(), interruptions })
    if (!isLast) return true
    const message = `the process died ${interruptions} times while the task ran`
    const error = { name: 'InterruptedError', message }
    this.#around.log.warn('task failed', { ...run.fields, task: run.id, name: run.name, error })
    this.#end(run, { state: 'failed', error })
    return false
  }
}
