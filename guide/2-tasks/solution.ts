// Exercise: whoever clicks "Order" twice gets one order, and one e-mail.

import { json } from '../../lib/reply.ts'
import { behind } from '../../lib/task-routes.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { post, print, settings } from '../lesson.ts'

const confirm = defineTask(
  'confirm',
  async (order: string, context) => {
    await context.sleep(500)
    print(`mail sent: ${order}`)
  },
  { attempts: 5, timeout: 10_000 },
)

const app: App = await createApp(settings(), {
  definitions: [confirm],
  routes: {
    'POST /order': async (request) => {
      const { order } = await request.json()
      // `behind` reads the header Idempotency-Key: the same key, the same task.
      const task = await app.tasks.add(confirm, String(order), behind(request))
      return json(202, { id: task.id })
    },
  },
})

// The page makes one key for one order, however often that is sent.
const key = crypto.randomUUID()
const send = () => post(`${app.url}/order`, { order: 'tea' }, { 'idempotency-key': key })
const [first, second] = await Promise.all([send(), send()])
print(`answered: ${first.status} and ${second.status}`)
print(`the same task: ${(await first.text()) === (await second.text()) ? 'yes' : 'no'}`)
await app.tasks.idle()
await app.close()
