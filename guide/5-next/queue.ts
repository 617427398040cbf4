// Two workers and a task. Whoever does it is killed in the middle; then the other one does it.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createApp } from '../../server.ts'
import { print, settings } from '../lesson.ts'
import { long } from './long.ts'
import { need } from './need.ts'

const { TASKS_URL } = process.env
need(TASKS_URL ? undefined : 'there is no TASKS_URL')
// Who was silent for so long is taken for dead: by default 30 s, but here nobody wants to wait.
const shared = { TASKS_URL, LOCK_SECONDS: '2' }
const web = await createApp(settings({ ...shared, ROLE: 'web' }), { definitions: [long] })
need(web.tasks.problem)

const env = { ...process.env, ...shared }
const workers = [1, 2].map(() => fork(new URL('worker.ts', import.meta.url), { env }))
await Promise.all(workers.map((worker) => once(worker, 'message')))
print('two workers are ready')

let begun = 0
for (const worker of workers) {
  worker.on('message', (text) => {
    print(`a worker ${text}`)
    if (text !== 'begins' || ++begun > 1) return
    print('it is killed')
    worker.kill('SIGKILL')
  })
}
const { id } = await web.tasks.add(long, null)
await web.tasks.idle()
print(`the task has ${(await web.tasks.find(id))?.state}`)
for (const worker of workers) worker.kill('SIGTERM')
await web.close()
