// What is told of tasks over WebSocket: each change to those who follow the one task, and from time to
// time what has changed to those who follow all tasks, or all of their own. Those begin with what is.

import { Batcher } from './batcher.ts'
import { type Identity, ownerFor } from './identity.ts'
import type { Changed } from './ledger.ts'
import { tasksOf } from './permission.ts'
import type { ListOptions, Page } from './store.ts'
import type { Task } from './task.ts'

export interface FeedOptions {
  readonly tasks: {
    find(id: string, owner?: string): Promise<Task | undefined>
    list(options: ListOptions): Promise<Page>
  }
  readonly isFollowed: (topic: string) => boolean
  /** Publishes. Never throws. */
  readonly tell: (topic: string, data: unknown) => void
}

const INTERVAL = 100 // milliseconds between two frames of changed tasks
const FIRST_TASKS = 100 // tasks at the beginning

export class TaskFeed {
  readonly #options: FeedOptions
  readonly #changes: Batcher // keys: a list, a space, a task’s id

  constructor(options: FeedOptions) {
    this.#options = options
    this.#changes = new Batcher(INTERVAL, (changes) => this.#tellLists(changes))
  }

  /** What a topic begins with. */
  readonly lookUps = {
    task: (id: string, who: Identity) => this.#options.tasks.find(id, ownerFor(who)),
    tasks: async (_name: string, who: Identity) => {
      const { tasks } = await this.#options.tasks.list({ limit: FIRST_TASKS, owner: ownerFor(who) })
      return tasks.map(withoutResult)
    },
  }

  /** To be called at each change of a task. */
  changed(task: Changed): void {
    const { isFollowed, tell } = this.#options
    const own = `task:${task.id}`
    if (isFollowed(own)) tell(own, task.snapshot())
    const lists = task.owner === undefined ? ['tasks'] : ['tasks', tasksOf(task.owner)]
    for (const list of lists) if (isFollowed(list)) this.#changes.add(`${list} ${task.id}`)
  }

  /** Tells at once what waits. */
  async flush(): Promise<void> {
    await this.#changes.flush()
  }

  // The newest state is looked up, so that an old one is never told.
  async #tellLists(changes: readonly string[]): Promise<void> {
    const lists = new Map<string, Task[]>()
    for (const change of changes) {
      const [list = '', id = ''] = change.split(' ')
      const task = await this.#options.tasks.find(id)
      if (task) lists.set(list, [...(lists.get(list) ?? []), withoutResult(task)])
    }
    for (const [list, tasks] of lists) this.#options.tell(list, tasks)
  }
}

function withoutResult(task: Task): Task {
  return { ...task, result: null }
}
