// What goes wrong without `await`: the program goes on before the greeting has come.

import { print } from '../lesson.ts'
import { greet } from './greet.ts'

print('begin')
const name = greet('Ada', 1) // a promise, not a name
print(`end: ${name}`)
