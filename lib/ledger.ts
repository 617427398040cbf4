// The truth about tasks. Every change that a restart has to know goes through here, in this order:
// into memory, to the journal, to whoever listens. At the start it is the other way round: from the
// journal into memory.

import { QueueFullError } from './backlog.ts'
import type { Journal } from './journal.ts'
import type { Commit } from './journal-commit.ts'
import type { Kinds } from './kinds.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { asSaved, type Changing, Run, type Saved } from './run.ts'
import { TaskStore } from './store.ts'
import type { Task } from './task.ts'

export interface LedgerOptions {
  readonly keep: number
  readonly log: Log
  readonly metrics: Metrics
  readonly journal?: Journal | undefined
  readonly onChange?: ((changed: Changed) => void) | undefined
}

/** Its snapshot is made only for who wants it. */
export interface Changed {
  readonly id: string
  readonly owner: string | undefined
  snapshot(): Task
}

const CLOSED = 'the journal is closed until a restart'

export class Ledger {
  readonly store: TaskStore
  readonly #options: LedgerOptions

  constructor(options: LedgerOptions) {
    this.#options = options
    this.store = new TaskStore(options.keep)
    options.metrics.gauge('task_oldest_seconds', 'Age of the oldest that waits.', () => {
      const oldest = [...this.store].find((run) => run.state === 'queued')
      return oldest ? (Date.now() - oldest.createdAt) / 1_000 : 0
    })
  }

  /** Whether there is a journal, for those tasks that can be in one. */
  get hasJournal(): boolean {
    return this.#options.journal !== undefined
  }

  /** Why nothing more can be written, if so. */
  get failure(): Error | undefined {
    return this.#options.journal?.failure
  }

  /** The same for others: why it failed is in the log. */
  get problem(): string | undefined {
    return this.failure && CLOSED
  }

  isClosedTo(run: Run): boolean {
    return run.isJournaled && this.failure !== undefined
  }

  /** Throws a `QueueFullError` if the journal is closed: what it does not get can't be promised. */
  checkOpen(run: Run): void {
    if (this.isClosedTo(run)) throw closed(this.failure)
  }

  add(run: Run): Commit | undefined {
    this.store.add(run)
    return run.isJournaled ? this.#write(run, { runAt: run.runAt, ...run.fixed() }) : undefined
  }

  change(run: Run, change: Partial<Changing>): Commit | undefined {
    run.take(change)
    run.foretold = undefined
    const commit = this.#write(run, change)
    if (change.endedAt) this.store.finish(run)
    this.tell(run)
    return commit
  }

  /** Writes what would be true after a restart, and is not yet. */
  foretell(run: Run, change: Partial<Changing>): Commit | undefined {
    run.foretold = change
    return this.#write(run, change)
  }

  tell(run: Run): void {
    try {
      this.#options.onChange?.(run)
    } catch (error) {
      this.#options.log.error('a listener failed', { error })
    }
  }

  /** Resolves when the disk has it. Rejects with a `QueueFullError` if that can't be told. */
  async confirm(commit: Commit | undefined): Promise<void> {
    try {
      await commit?.synced.wait()
    } catch (cause) {
      throw closed(cause)
    }
  }

  /**
   * Changes a task when no other change of it is on its way to the disk: one after the other, also if
   * several wait.
   */
  async inTurn<T>(id: string, change: (run: Run | undefined) => Promise<T>): Promise<T> {
    for (;;) {
      const run = this.store.find(id)
      if (run?.pending) {
        await run.pending.catch(() => {}) // told to whoever has asked for it
        continue
      }
      const changing = change(run) // begins at once, so that no other comes between
      if (!run) return changing
      run.pending = changing
      try {
        return await changing
      } finally {
        run.pending = undefined
      }
    }
  }

  /** Takes over what the journal has. Returns those that have not ended, oldest first. */
  restore(kinds: Kinds<Run>): Run[] {
    const { journal } = this.#options
    if (!journal) return []
    const all: Run[] = []
    for (const record of journal.takeOver(() => this.#saved())) {
      const saved = record as Saved
      // Without a name it is the end of a task that was forgotten already.
      if (saved.name !== undefined) all.push(Run.restore(saved, kinds.find(saved.name)))
    }
    for (const run of all) this.store.adopt(run)
    const ended = all.filter((run) => run.hasEnded)
    for (const run of ended.sort((a, b) => a.endedAt! - b.endedAt!)) this.store.finish(run)
    return all.filter((run) => !run.hasEnded)
  }

  #write(run: Run, record: Partial<Saved>): Commit | undefined {
    if (!run.isJournaled) return undefined
    // In this order: what is added behind a spread costs a microsecond on Node 20.
    return this.#options.journal?.append({ id: run.id, ...asSaved(record) })
  }

  *#saved(): Generator<Saved> {
    for (const run of this.store) if (run.isJournaled) yield run.saved()
  }
}

/** What a caller gets to hear of a journal that takes nothing more. */
export function closed(cause: unknown): QueueFullError {
  return new QueueFullError(CLOSED, { cause })
}
