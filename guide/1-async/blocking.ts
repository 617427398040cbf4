// What blocks the event loop: work that never waits. Nothing else runs until it is over.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

/** Counts for so many seconds, as one who draws a picture or parses a big file would. */
function count(seconds: number): number {
  const end = performance.now() + seconds * 1_000
  let counted = 0
  while (performance.now() < end) counted++
  return counted
}

print('begin')
const greeting = greet('Ada', 1) // should come after one second
count(3)
print('counted')
await greeting
