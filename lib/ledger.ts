// The truth about tasks. Every change goes through here, in this order: into memory, to the journal,
// to whoever listens. At the start it is the other way round: from the journal into memory.

import type { Commit } from './commit.ts'
import type { Journal } from './journal.ts'
import type { Kinds } from './kinds.ts'
import type { Log } from './log.ts'
import { QueueFullError } from './room.ts'
import { type Changing, Run, type Saved, savedResult } from './run.ts'
import { TaskStore } from './store.ts'
import type { Task } from './task.ts'

export interface LedgerOptions {
  readonly keep: number
  readonly log: Log
  readonly journal?: Journal | undefined
  readonly onChange?: ((changed: Changed) => void) | undefined
}

/** Its snapshot is made only for who wants it. */
export interface Changed {
  readonly id: string
  snapshot(): Task
}

export class Ledger {
  readonly store: TaskStore
  readonly #options: LedgerOptions

  constructor(options: LedgerOptions) {
    this.#options = options
    this.store = new TaskStore(options.keep)
  }

  /** Whether there is a journal, for those tasks that can be in one. */
  get hasJournal(): boolean {
    return this.#options.journal !== undefined
  }

  /** Why nothing more can be written, if so. */
  get failure(): Error | undefined {
    return this.#options.journal?.failure
  }

  /** Throws a `QueueFullError` if the journal is closed: what it does not get can't be promised. */
  checkOpen(): void {
    if (this.failure) throw new QueueFullError(this.failure.message)
  }

  add(run: Run): Commit | undefined {
    this.store.add(run)
    return this.#write(run, { ...run.fixed(), runAt: run.runAt })
  }

  change(run: Run, change: Partial<Changing>): Commit | undefined {
    Object.assign(run, change)
    const commit = this.#write(run, change)
    if (change.endedAt) this.store.finish(run)
    this.tell(run)
    return commit
  }

  /** Writes what would be true after a restart, and is not yet. */
  foretell(run: Run, change: Partial<Changing>): void {
    this.#write(run, change)
  }

  tell(run: Run): void {
    try {
      this.#options.onChange?.(run)
    } catch (error) {
      this.#options.log.error('a listener failed', { error })
    }
  }

  /** Resolves when the disk has it. Rejects with a `QueueFullError` if that can't be told. */
  async confirm(run: Run, commit: Commit | undefined): Promise<void> {
    run.saving = commit?.synced.wait()
    await this.confirmed(run)
    run.saving = undefined
  }

  /** The same for whoever asks again. */
  async confirmed(run: Run): Promise<void> {
    try {
      await run.saving
    } catch (cause) {
      throw new QueueFullError((cause as Error).message, { cause })
    }
  }

  /** Takes over what the journal has. Returns those that have not ended, oldest first. */
  restore(kinds: Kinds<Run>): Run[] {
    const { journal } = this.#options
    if (!journal) return []
    const all: Run[] = []
    for (const record of journal.records.values()) {
      const saved = record as Saved
      // Without a name it is the end of a task that was forgotten already.
      if (saved.name !== undefined) all.push(Run.restore(saved, kinds.find(saved.name)))
    }
    journal.records.clear()
    journal.keep(() => this.#saved())
    for (const run of all) this.store.adopt(run)
    const ended = all.filter((run) => run.hasEnded)
    for (const run of ended.sort((a, b) => a.endedAt! - b.endedAt!)) this.store.finish(run)
    return all.filter((run) => !run.hasEnded)
  }

  #write(run: Run, record: Partial<Saved>): Commit | undefined {
    if (!run.isJournaled) return undefined
    const { id } = run
    const known = 'result' in record ? { ...record, ...savedResult(record) } : record
    return this.#options.journal?.append({ id, ...known })
  }

  *#saved(): Generator<Saved> {
    for (const run of this.store) if (run.isJournaled) yield run.saved()
  }
}
