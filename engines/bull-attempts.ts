// The attempts under way in this process. Each ends when its function does; a cancel or a timeout asks it
// to, and decides.

import { Attempt, type Outcome, type Surroundings, startClock } from '../lib/attempt.ts'
import type { TasksOptions } from '../lib/engines.ts'
import { describeError } from '../lib/errors.ts'
import type { Run, Verdict } from '../lib/run.ts'
import { Threads } from '../lib/threads.ts'
import { LoopWatch } from '../lib/watch.ts'

/** Who is to know of an attempt. */
export interface Watcher {
  readonly onProgress: () => void
  /** It is past its timeout, and may go on. */
  readonly onLate: () => void
}

interface Current extends Watcher {
  readonly settle: (outcome: Outcome) => void
}

export class Attempts {
  readonly #around: Surroundings
  readonly #all = new Map<Run, Current>()

  constructor(options: TasksOptions) {
    this.#around = {
      log: options.log,
      threads: new Threads(),
      watch: new LoopWatch(options),
      onBegin: (run) => startClock(run, (reason) => this.#timeOut(run, reason)),
      onProgress: (run) => this.#all.get(run)?.onProgress(),
      onEnd: (run, outcome) => this.#all.get(run)?.settle(outcome),
    }
  }

  [Symbol.iterator](): Iterator<Run> {
    return this.#all.keys()
  }

  /** Resolves when its function has returned. Until `end` is called it counts as under way. */
  async begin(run: Run, watcher: Watcher): Promise<Outcome> {
    const outcome = await new Promise<Outcome>((settle) => {
      this.#all.set(run, { ...watcher, settle })
      run.state = 'running'
      run.current = new Attempt(run, this.#around, performance.now())
      run.current.start()
      if (!run.kind.definition?.thread) this.#around.watch.follow(run)
    })
    clearTimeout(run.timer)
    run.state = 'queued' // so that it is suspected no more
    return outcome
  }

  end(run: Run): void {
    this.#all.delete(run)
  }

  cancel(id: string): void {
    for (const run of this) {
      if (run.id !== id || run.verdict?.state === 'cancelled') continue
      decide(run, { state: 'cancelled', error: null }, new Error('the task was cancelled'))
    }
  }

  abort(): void {
    for (const run of this) run.current?.abort(new Error('the server is stopping'))
  }

  /** Waits no more for those that do not listen. */
  leave(): void {
    for (const { settle } of this.#all.values()) settle({ state: 'aborted', error: null })
  }

  async close(): Promise<void> {
    this.#around.watch.stop()
    await this.#around.threads.close()
  }

  #timeOut(run: Run, reason: Error): void {
    if (run.verdict) return
    decide(run, { state: 'failed', error: describeError(reason) }, reason)
    this.#all.get(run)?.onLate()
  }
}

function decide(run: Run, verdict: Verdict, reason: Error): void {
  run.verdict = verdict
  run.current?.abort(reason)
}
