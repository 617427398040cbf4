// What goes wrong with `Promise.all`: the first failure is all that one hears of.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

async function fail(): Promise<string> {
  throw new Error('the line is dead')
}

print('begin')
try {
  await Promise.all([greet('Ada', 1), fail()])
} catch (error) {
  print(`Promise.all: ${(error as Error).message}`) // and Ada is still to come
}

// `allSettled` never rejects: it waits for all, and says of each how it ended.
const [grace, other] = await Promise.allSettled([greet('Grace', 2), fail()])
print(`Promise.allSettled: ${grace.status}, ${other.status}`)
