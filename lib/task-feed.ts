// What is told of tasks over WebSocket: each change to those who follow the one task, and from time to
// time what has changed to those who follow all tasks, or all of their own. Those begin with what is.

import { Batcher } from './batcher.ts'
import { isA, UnavailableError } from './errors.ts'
import { type Identity, ownerFor } from './identity.ts'
import type { Changed } from './ledger.ts'
import { tasksOf } from './permission.ts'
import { ProtocolError } from './protocol.ts'
import type { Tasks } from './queue.ts'
import type { Task } from './task.ts'

export interface FeedOptions {
  readonly tasks: Pick<Tasks, 'find' | 'list'>
  readonly isFollowed: (topic: string) => boolean
  /** Publishes. Never throws. */
  readonly tell: (topic: string, data: unknown) => void
}

interface Change {
  readonly list: string
  readonly task: Changed
}

const INTERVAL = 100 // milliseconds between two frames of changed tasks
const FIRST_TASKS = 100 // tasks at the beginning

export class TaskFeed {
  readonly #options: FeedOptions
  readonly #changes: Batcher<Change>

  constructor(options: FeedOptions) {
    this.#options = options
    this.#changes = new Batcher(INTERVAL, (changes) => this.#tellLists(changes))
  }

  /** What a topic begins with. */
  readonly lookUps = {
    task: (id: string, who: Identity) => asProtocol(this.#options.tasks.find(id, ownerFor(who))),
    tasks: async (_name: string, who: Identity) => {
      const options = { limit: FIRST_TASKS, owner: ownerFor(who) }
      const { tasks } = await asProtocol(this.#options.tasks.list(options))
      return tasks.map(withoutResult)
    },
  }

  /** To be called at each change of a task. */
  changed(task: Changed): void {
    const { isFollowed, tell } = this.#options
    const own = `task:${task.id}`
    if (isFollowed(own)) tell(own, task.snapshot())
    const lists = task.owner === undefined ? ['tasks'] : ['tasks', tasksOf(task.owner)]
    for (const list of lists) {
      if (isFollowed(list)) this.#changes.add(`${list} ${task.id}`, { list, task })
    }
  }

  /** Tells at once what waits. */
  flush(): void {
    this.#changes.flush()
  }

  #tellLists(changes: readonly Change[]): void {
    const lists = new Map<string, Task[]>()
    for (const { list, task } of changes) {
      lists.set(list, [...(lists.get(list) ?? []), withoutResult(task.snapshot())])
    }
    for (const [list, tasks] of lists) this.#options.tell(list, tasks)
  }
}

async function asProtocol<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (cause) {
    if (!isA(cause, UnavailableError)) throw cause
    throw new ProtocolError('unavailable', cause.message, { cause })
  }
}

function withoutResult(task: Task): Task {
  return { ...task, result: null }
}
