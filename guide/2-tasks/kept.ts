// The better way: a task is on disk, in the journal, before the reply says 202.

import { json } from '../../lib/reply.ts'
import { behind } from '../../lib/task-routes.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { post, print, settings } from '../lesson.ts'
import { runTwice } from './restart.ts'

const welcome = defineTask('welcome', async (name: string, context) => {
  await context.sleep(500)
  print(`mail to ${name} sent`)
})

const [, , run] = process.argv
if (run) await serve()
else runTwice(import.meta.url)

async function serve(): Promise<void> {
  print(`${run} start`)
  const app: App = await createApp(settings({ JOURNAL: process.env.JOURNAL }), {
    definitions: [welcome],
    routes: {
      'POST /signup': async (request) => {
        const { name } = await request.json()
        const { id } = await app.tasks.add(welcome, String(name), behind(request))
        return json(202, { id })
      },
    },
  })
  if (run === 'first') {
    print(`answered: ${(await post(`${app.url}/signup`, { name: 'Ada' })).status}`)
    process.kill(process.pid, 'SIGKILL') // the power fails
  }
  await app.tasks.idle()
  await app.close()
}
