// Exercise: greet five people, never more than two at the same time.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

const names = ['Ada', 'Grace', 'Linus', 'Margaret', 'Guido']

// Two greeters share one line of names: each takes the next when it is done with the last.
async function work(): Promise<void> {
  for (let name = names.shift(); name !== undefined; name = names.shift()) await greet(name, 1)
}

print('begin')
await Promise.all([work(), work()])
print('end')
