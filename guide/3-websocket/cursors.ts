// Shared cursors: 20 people move their mouse. Each sends its place 15 times a second, as a transient
// message: what is late is of no use, so the server keeps only the newest of each.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createApp } from '../../server.ts'
import { print, settings } from '../lesson.ts'

const PEOPLE = 20
const SECONDS = 5

const app = await createApp(settings())
// The people are a process of their own: what is measured here is the server alone.
const people = fork(new URL('people.ts', import.meta.url), [
  app.url,
  String(PEOPLE),
  String(SECONDS),
])
await once(people, 'message') // all are there
print(`${PEOPLE} people, for ${SECONDS} seconds`)
const before = process.cpuUsage()
const [{ sent, received }] = await once(people, 'message')
const { user, system } = process.cpuUsage(before) // microseconds

print(`${Math.round(sent / SECONDS)} messages a second were sent`)
print(`${Math.round(received / SECONDS)} a second were received`)
print(`${Math.round((user + system) / SECONDS / 10_000)} % of one core`)
await app.close()
