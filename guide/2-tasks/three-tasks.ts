// Three tasks for one request, of which the second fails: the others do not notice.

import { json } from '../../lib/reply.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { post, print, settings } from '../lesson.ts'

const sendMail = defineTask('send-mail', async (_order: number, context) => {
  await context.sleep(500)
  print('mail sent')
})
const chargeCard = defineTask('charge-card', async () => {
  throw new Error('the card has expired')
})
const printLabel = defineTask('print-label', async (_order: number, context) => {
  await context.sleep(1_000)
  print('label printed')
})
const definitions = [sendMail, chargeCard, printLabel]
const app: App = await createApp(settings(), {
  definitions,
  routes: {
    'POST /order': async (request) => {
      for (const work of definitions) await app.tasks.add(work, 42, { after: request.replied })
      return json(202, { status: 'accepted' })
    },
  },
})

print(`answered: ${(await post(`${app.url}/order`)).status}`)
await app.tasks.idle()

const { tasks } = await app.tasks.list({ limit: 10 }) // the newest first
for (const { name, state, error } of tasks) print(`${name}: ${error?.message ?? state}`)
await app.close()
