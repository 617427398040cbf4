// Long walks in short steps: between them the event loop is free for others.

import { setImmediate as turn } from 'node:timers/promises'

/** Visits all of them, so many in one turn of the event loop. */
export async function inTurns<T>(
  all: Iterable<T>,
  atOnce: number,
  visit: (one: T) => void,
): Promise<void> {
  let visited = 0
  for (const one of all) {
    visit(one)
    if (++visited % atOnce === 0) await turn()
  }
}
