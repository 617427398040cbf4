// What a task does: a function, and for a definition the name by which it is found, also after a
// restart. Options say how it is run; each can be given for one task as well.

import { checkNumber, checkWhole, MAX_TIMER } from './check.ts'
import type { TaskContext } from './context.ts'
import { isName, NAME_RULE } from './names.ts'

/**
 * Synchronous or not. What it returns is the task's result: JSON or bytes, at most 4 MiB. A thread
 * hands its bytes over: there they are gone afterwards.
 */
export type Work<Payload> = (payload: Payload, context: TaskContext) => unknown

/** Work that has a name. Its payload is JSON, and each attempt gets a copy of its own. */
export interface Definition<Payload> extends DefinitionOptions {
  readonly name: string
  readonly work: Work<Payload>
}

export interface DefinitionOptions extends TaskOptions {
  /** Slots of its own beside the queue's. Without, it shares those. */
  readonly concurrency?: number
  /** It runs in a thread, which imports this module and finds the definition among its exports. */
  readonly thread?: URL
}

export interface TaskOptions {
  /** So many at most, the first one counted. Default 1. */
  readonly attempts?: number
  /** Milliseconds before the second attempt, doubled with each; a random part of it is waited. Default 500. */
  readonly backoff?: number
  /** Milliseconds that one attempt may take. Default: no limit. */
  readonly timeout?: number
  /** Milliseconds before the first attempt. Default 0. */
  readonly delay?: number
  /** Whole, from -100 to 100: a higher one goes first. Default 0. */
  readonly priority?: number
}

/** Names a task. Throws a `TypeError` or a `RangeError` for a bad name or option. */
export function defineTask<Payload>(
  name: string,
  work: Work<Payload>,
  options: DefinitionOptions = {},
): Definition<Payload> {
  const { concurrency, thread } = options
  if (typeof work !== 'function') throw new TypeError(`expected a function, got ${typeof work}`)
  if (!isName(name)) throw new TypeError(`a task's name must be ${NAME_RULE}, got "${name}"`)
  if (concurrency !== undefined) checkWhole('concurrency', concurrency, 1)
  if (thread !== undefined && thread?.protocol !== 'file:') {
    throw new TypeError(`thread must be the URL of a file, got ${thread}`)
  }
  checkTaskOptions(options)
  return { name, work, ...options }
}

type Loose<T> = { readonly [K in keyof T]: T[K] | undefined }

/** Throws a `RangeError` that names the option. */
export function checkTaskOptions(options: Loose<TaskOptions>): void {
  const { attempts = 1, backoff = 0, timeout = 1, delay = 0, priority = 0 } = options
  checkWhole('attempts', attempts, 1)
  checkNumber('backoff', backoff, 0, MAX_TIMER)
  checkNumber('timeout', timeout, 1, MAX_TIMER)
  checkNumber('delay', delay, 0, MAX_TIMER)
  checkWhole('priority', priority, -100, 100)
}
