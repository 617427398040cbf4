// What a queue of tasks can do, wherever it keeps them: `TaskQueue` in this process, or an engine in
// Redis, for all servers (`TASKS_URL`).

import type { Definition, Work } from './definition.ts'
import type { AddOptions, RetryOptions } from './plan.ts'
import type { ListOptions, Page } from './store.ts'
import type { Task } from './task.ts'

export interface Tasks {
  /** Tasks queued and running. */
  readonly size: number
  /** Why it can't do its work for now, if it can't. */
  readonly problem: string | undefined
  /**
   * Accepts a definition or a plain function, synchronous or not (a synchronous one blocks the event
   * loop while it runs). Resolves to the queued task, when it is safe where it is kept. Rejects with a
   * `QueueFullError`, a `QuotaExceededError`, a `KeyReusedError`, or a `TypeError` or `RangeError` for a
   * payload that is no JSON, a name that is taken, an option that is none. Redis away: an
   * `UnavailableError`, as in all that follows.
   */
  add(work: () => unknown): Promise<Task>
  add<P>(work: Definition<P> | Work<P>, payload: P, options?: AddOptions): Promise<Task>
  /** With an owner, only if it is theirs. */
  find(id: string, owner?: string): Promise<Task | undefined>
  /** The newest first, page by page. */
  list(options: ListOptions): Promise<Page>
  /** What a task returned, with its media type. Undefined if it has not, or is no longer kept. */
  result(id: string): Promise<{ type: string; body: string | Uint8Array } | undefined>
  /**
   * Resolves to the task: cancelled, or `cancelling` until its function returns. Undefined if it is
   * unknown or had ended. Rejects with a `QueueFullError` if the journal can't keep it.
   */
  cancel(id: string): Promise<Task | undefined>
  /**
   * Runs one that failed or was cancelled again, as if it were new. Undefined if it is unknown, has
   * not ended so, or its payload is no longer kept. Rejects with a `QueueFullError` or a
   * `QuotaExceededError`.
   */
  retry(id: string, options?: RetryOptions): Promise<Task | undefined>
  /** Resolves when nothing is queued or running. */
  idle(): Promise<void>
  /** Begins with what waits from before. To be called once all is ready for that. */
  resume(): void
  /**
   * Accepts no more, and waits so many milliseconds for what runs, and for what is kept nowhere else.
   * Then aborts. What is kept goes on later, or elsewhere. Resolves to the tasks that are lost, which
   * the log names. In a crash, what has to be aborted counts as interrupted by it.
   */
  drain(milliseconds: number, isCrash?: boolean): Promise<Task[]>
}

/** One that is in Redis, and has plain functions done by another, in this process. */
export interface SharedTasks extends Tasks {
  /** Rejects if Redis refuses the password. If it is away, goes on trying; `problem` says so. */
  open(): Promise<void>
  /** To be called after `drain`. */
  close(): Promise<void>
}
