// What comes while something is under way goes together, as the next: where one step costs the same for
// one item and for many, a write to a file for instance.

import { setImmediate as turn } from 'node:timers/promises'

interface Batch<T> {
  readonly items: T[]
  readonly done: Promise<void>
}

/**
 * Returns what adds an item to the next batch, and resolves or rejects as `deliver` does for all of that
 * batch. It goes out when the one before has, and this turn of the event loop is over.
 */
export function together<T>(deliver: (items: readonly T[]) => Promise<void>) {
  let last = Promise.resolve()
  let next: Batch<T> | undefined

  function begin(): Batch<T> {
    const items: T[] = []
    const done = last.then(async () => {
      await turn()
      next = undefined
      await deliver(items)
    })
    last = done.catch(() => {}) // told to those whose items they are
    return { items, done }
  }

  return (item: T): Promise<void> => {
    next ??= begin()
    next.items.push(item)
    return next.done
  }
}
