// The better way for long work: in slices of 10 ms, between which everything else has its turn.

import { setImmediate as turn } from 'node:timers/promises'
import { print } from '../lesson.ts'
import { greet } from './greet.ts'

async function count(seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000
  let counted = 0
  while (performance.now() < end) {
    const slice = performance.now() + 10
    while (performance.now() < slice) counted++
    await turn() // the event loop goes round once
  }
  return counted
}

print('begin')
const greeting = greet('Ada', 1)
await count(3)
print('counted')
await greeting
