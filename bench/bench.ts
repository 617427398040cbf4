// What all this costs, beside what one would take instead: `npm run bench` holds every contest, prints
// what came out and writes it to RESULTS.md (some 30 minutes, with nothing else running). With a part
// of a title, as in `npm run bench -- Echo`, only the contests of that kind, and nothing is written.

import { join } from 'node:path'
import { type Contest, hold, type Rounds } from './contest.ts'
import { contests as grown } from './grow.ts'
import { contests as http } from './http.ts'
import { partOf, tableOf, writeResults } from './results.ts'
import { contests as tasks } from './tasks.ts'
import { contests as whole } from './whole.ts'
import { contests as sockets } from './ws.ts'

const [, , wanted = ''] = process.argv
const all: readonly Contest[] = [...http, ...sockets, ...tasks, ...whole, ...grown]
const contests = all.filter(({ title }) => title.toLowerCase().includes(wanted.toLowerCase()))
if (contests.length === 0) {
  const titles = all.map(({ title }) => title).join('\n')
  throw new Error(`expected a part of one of these titles, got "${wanted}":\n${titles}`)
}

const results = new Map<string, Rounds>()
for (const contest of contests) {
  results.set(contest.title, await hold(contest))
  console.log(tableOf(contest, results.get(contest.title)!).join('\n'))
}
if (contests.length === all.length) {
  const part = partOf(contests, results)
  console.log(`\n${part}`)
  await writeResults(join(import.meta.dirname, 'RESULTS.md'), part)
}
