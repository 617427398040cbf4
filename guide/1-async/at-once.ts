// The better way: all three sleep at the same time.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

print('begin')
// Calling an async function starts it. `Promise.all` waits for all of them.
const names = await Promise.all([greet('Ada', 1), greet('Grace', 1), greet('Linus', 1)])
print(`end: ${names.join(', ')}`)
