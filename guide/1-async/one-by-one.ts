// The naive way: each greeting waits for the one before it.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

print('begin')
await greet('Ada', 1)
await greet('Grace', 1)
await greet('Linus', 1)
print('end')
