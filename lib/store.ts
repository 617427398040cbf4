// All tasks that are known: those on their way, and the last so many that have ended. Of these the
// failed ones are remembered longest, since somebody may still have to look at them.

import { Fifo } from './fifo.ts'
import type { State, Task } from './task.ts'

export interface ListOptions {
  readonly state?: State | undefined
  readonly name?: string | undefined
  readonly limit: number
  /** Only tasks older than the one with this id. */
  readonly after?: string | undefined
}

export interface Page {
  readonly tasks: readonly Task[]
  /** The `after` of the following page, null on the last one. */
  readonly next: string | null
}

export class TaskStore {
  readonly #keep: number
  readonly #tasks = new Map<string, Task>() // the newest snapshot of each, oldest task first
  readonly #failed = new Fifo<string>() // ids of those that have ended, oldest first, here and in
  readonly #others = new Fifo<string>()

  constructor(keep: number) {
    this.#keep = keep
  }

  find(id: string): Task | undefined {
    return this.#tasks.get(id)
  }

  /** The newest first. */
  list({ state, name, limit, after }: ListOptions): Page {
    const all = [...this.#tasks.values()].reverse()
    const start = after === undefined ? 0 : all.findIndex((task) => task.id === after) + 1
    if (after !== undefined && start === 0) return { tasks: [], next: null }

    const matching = all
      .slice(start)
      .filter((task) => (!state || task.state === state) && (!name || task.name === name))
    const tasks = matching.slice(0, limit)
    return { tasks, next: matching.length > limit ? tasks.at(-1)!.id : null }
  }

  /** Takes a task's newest snapshot. With one that has ended, the oldest that has may be forgotten. */
  set(task: Task): void {
    this.#tasks.set(task.id, task)
    if (task.endedAt === null) return

    const line = task.state === 'failed' ? this.#failed : this.#others
    line.push(task.id)
    if (this.#failed.size + this.#others.size <= this.#keep) return
    this.#tasks.delete((this.#others.shift() ?? this.#failed.shift())!)
  }
}
