// What a task does: a function, and for a definition the name by which it is found.

import { checkWhole } from './check.ts'
import type { TaskContext } from './context.ts'
import { isName, NAME_RULE } from './names.ts'

/** Synchronous or not. What it returns is kept as the task's result: JSON, 64 KiB at most. */
export type Work<Payload> = (payload: Payload, context: TaskContext) => unknown

/** Work that has a name. Its payload is JSON, and each run gets a copy of its own. */
export interface Definition<Payload> extends DefinitionOptions {
  readonly name: string
  readonly work: Work<Payload>
}

export interface DefinitionOptions {
  /** Slots of its own beside the queue's. Without, it shares those. */
  readonly concurrency?: number
}

/** Names a task. Throws a `TypeError` for a bad name, a `RangeError` for a bad option. */
export function defineTask<Payload>(
  name: string,
  work: Work<Payload>,
  options: DefinitionOptions = {},
): Definition<Payload> {
  if (!isName(name)) throw new TypeError(`a task's name must be ${NAME_RULE}, got "${name}"`)
  if (options.concurrency !== undefined) checkWhole('concurrency', options.concurrency, 1)
  return { name, work, ...options }
}
