// The naive way: the e-mail is sent inside the request, and whoever signs up waits for it.

import { setTimeout as sleep } from 'node:timers/promises'
import { json } from '../../lib/reply.ts'
import { createApp } from '../../server.ts'
import { post, print, settings } from '../lesson.ts'

const app = await createApp(settings(), {
  routes: {
    'POST /signup': async (request) => {
      const { name } = await request.json()
      await sleep(2_000) // stands for an e-mail server that is slow today
      print(`mail to ${name} sent`)
      return json(201, { name })
    },
  },
})

print('sign up')
const reply = await post(`${app.url}/signup`, { name: 'Ada' })
print(`answered: ${reply.status}`)

await app.close()
