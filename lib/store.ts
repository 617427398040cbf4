// All tasks that are known: those on their way, and the last so many that have ended. Of these the
// failed ones are remembered longer, since somebody may still have to look at them.

import { Fifo } from './fifo.ts'
import type { State, Task } from './task.ts'

export interface ListOptions {
  readonly state?: State | undefined
  readonly name?: string | undefined
  readonly limit: number
  /** The `next` of the page before. */
  readonly after?: number | undefined
}

export interface Page {
  readonly tasks: readonly Task[]
  /** The `after` of the following page, null on the last one. */
  readonly next: string | null
}

interface Entry {
  readonly task: Task
  /** Counts the tasks as they come. A page goes on at a number, also when its task is forgotten. */
  readonly number: number
}

export class TaskStore {
  readonly #keep: number
  readonly #entries = new Map<string, Entry>() // oldest task first
  readonly #failed = new Fifo<string>() // ids of those that have ended, oldest first, here and in
  readonly #others = new Fifo<string>()
  #count = 0

  constructor(keep: number) {
    this.#keep = keep
  }

  find(id: string): Task | undefined {
    return this.#entries.get(id)?.task
  }

  /** The newest first. */
  list({ state, name, limit, after = Number.POSITIVE_INFINITY }: ListOptions): Page {
    const matching = [...this.#entries.values()].filter(
      ({ task, number }) =>
        number < after && (!state || task.state === state) && (!name || task.name === name),
    )
    const page = matching.slice(-limit).reverse()
    const next = matching.length > limit ? String(page.at(-1)!.number) : null
    return { tasks: page.map(({ task }) => task), next }
  }

  /** Takes a task's newest snapshot. With one that has ended, another that has may be forgotten. */
  set(task: Task): void {
    const number = this.#entries.get(task.id)?.number ?? this.#count++
    this.#entries.set(task.id, { task, number })
    if (task.endedAt === null) return

    const line = task.state === 'failed' ? this.#failed : this.#others
    line.push(task.id)
    if (this.#failed.size + this.#others.size > this.#keep) this.#forgetOne()
  }

  // At most half of those kept may be failed ones, or else a success would be forgotten at once.
  #forgetOne(): void {
    const isTooMany = this.#failed.size > this.#keep / 2
    const oldest = isTooMany ? this.#failed.shift() : (this.#others.shift() ?? this.#failed.shift())
    this.#entries.delete(oldest!)
  }
}
