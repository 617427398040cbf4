// An e-mail with retries: what fails today may work in a second.

import { createTransport } from 'nodemailer'
import { json } from '../../lib/reply.ts'
import { behind } from '../../lib/task-routes.ts'
import { type App, createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { post, print, settings } from '../lesson.ts'
import { startMailServer } from './smtp.ts'

const { port, close } = await startMailServer()
// Limits of its own: a mail server that never answers must not hold a slot.
const limits = { connectionTimeout: 5_000, greetingTimeout: 5_000, socketTimeout: 5_000 }
const mailer = createTransport({ host: '127.0.0.1', port, ...limits })

const confirm = defineTask(
  'confirm',
  async (to: string, context) => {
    await context.sleep(500) // so that one sees the answer come first
    print(`attempt ${context.attempt}`)
    await mailer.sendMail({ from: 'shop@example.org', to, subject: 'Your order', text: 'Thanks!' })
  },
  { attempts: 3, backoff: 1_000, timeout: 10_000 }, // milliseconds
)

const app: App = await createApp(settings(), {
  definitions: [confirm],
  routes: {
    'POST /order': async (request) => {
      const { email } = await request.json()
      await app.tasks.add(confirm, String(email), behind(request))
      return json(202, { status: 'accepted' })
    },
  },
})
print(`answered: ${(await post(`${app.url}/order`, { email: 'ada@example.org' })).status}`)
await app.tasks.idle()
await app.close()
close()
