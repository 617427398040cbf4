// A server with one task, which takes two seconds: there is something to wait for.

import { json } from '../../lib/reply.ts'
import { behind } from '../../lib/task-routes.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { settings } from '../lesson.ts'

const nap = defineTask('nap', (seconds: number, context) => context.sleep(seconds * 1_000))

export async function startNapServer(): Promise<App> {
  const app: App = await createApp(settings(), {
    definitions: [nap],
    routes: {
      'POST /nap': async (request) => {
        const task = await app.tasks.add(nap, 2, behind(request))
        return json(202, { id: task.id })
      },
    },
  })
  return app
}
