// The better way: the request adds a task and is answered. The task starts behind the reply.

import { json } from '../../lib/reply.ts'
import { behind } from '../../lib/task-routes.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { post, print, settings } from '../lesson.ts'

// A task has a name, and a function that is given its payload and a context.
const welcome = defineTask('welcome', async (name: string, context) => {
  await context.sleep(2_000)
  print(`mail to ${name} sent`)
})

const app: App = await createApp(settings(), {
  definitions: [welcome],
  routes: {
    'POST /signup': async (request) => {
      const { name } = await request.json()
      const task = await app.tasks.add(welcome, String(name), behind(request))
      return json(202, { id: task.id }) // 202 Accepted: not done yet, but promised
    },
  },
})

print('sign up')
const reply = await post(`${app.url}/signup`, { name: 'Ada' })
print(`answered: ${reply.status}`)

const { id } = (await reply.json()) as { id: string }
await app.tasks.idle() // until nothing is queued or running
print(`the task has ${(await app.tasks.find(id))?.state}`)
await app.close()
