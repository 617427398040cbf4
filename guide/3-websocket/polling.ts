// The naive way to learn when work is done: to ask again and again.

import { setTimeout as sleep } from 'node:timers/promises'
import { post, print } from '../lesson.ts'
import { startNapServer } from './nap.ts'

const app = await startNapServer()

const { id } = await (await post(`${app.url}/nap`)).json()
let state = 'unknown'
let questions = 0
while (state !== 'succeeded') {
  await sleep(50)
  const task = await (await fetch(`${app.url}/tasks/${id}`)).json()
  questions++
  if (task.state !== state) print(`question ${questions}: ${task.state}`)
  state = task.state
}
await app.close()
