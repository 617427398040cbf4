// What a task queue is made with.

import { checkWhole } from './check.ts'
import type { Definition } from './definition.ts'
import type { Journal } from './journal.ts'
import type { Changed } from './ledger.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

export interface TaskQueueOptions {
  /** Tasks that run at the same time. */
  readonly concurrency: number
  /** Tasks queued and running; one more is refused. */
  readonly capacity: number
  /** Of these, those of one owner. Default: all. */
  readonly capacityPerOwner?: number
  /** Finished tasks that are remembered, failed ones longer (see `lib/store.ts`). */
  readonly keep: number
  readonly log: Log
  /** Where tasks of definitions outlive the process; then `resume` has to be called. */
  readonly journal?: Journal | undefined
  /** Threads at the same time, for the definitions that run in one. Default 1. */
  readonly threads?: number
  /** Milliseconds. What blocks the event loop longer is named in the log. Default 50. */
  readonly blockedMs?: number
  readonly metrics?: Metrics
  /** Known from the start. Any other is once it was added. */
  readonly definitions?: readonly Definition<never>[]
  /** Called at each change of a task. */
  readonly onChange?: (changed: Changed) => void
}

/** Throws a `RangeError` for a bound that is none. */
export function checkQueueOptions(options: TaskQueueOptions): void {
  const { concurrency, capacity, capacityPerOwner = capacity, keep, threads = 1 } = options
  checkWhole('concurrency', concurrency, 1)
  checkWhole('capacity', capacity, 1)
  checkWhole('capacityPerOwner', capacityPerOwner, 1)
  checkWhole('keep', keep, 0)
  checkWhole('threads', threads, 1)
}
