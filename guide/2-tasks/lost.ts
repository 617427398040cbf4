// The naive way to reply first: a timer. What the process has promised dies with it.

import { setTimeout as sleep } from 'node:timers/promises'
import { json } from '../../lib/reply.ts'
import { createApp } from '../../server.ts'
import { post, print, settings } from '../lesson.ts'
import { runTwice } from './restart.ts'

const [, , run] = process.argv
if (run) await serve()
else runTwice(import.meta.url)

async function serve(): Promise<void> {
  print(`${run} start`)
  const app = await createApp(settings(), {
    routes: {
      'POST /signup': async (request) => {
        const { name } = await request.json()
        setTimeout(() => print(`mail to ${name} sent`), 500)
        return json(202, { status: 'accepted' })
      },
    },
  })
  if (run === 'first') {
    print(`answered: ${(await post(`${app.url}/signup`, { name: 'Ada' })).status}`)
    process.kill(process.pid, 'SIGKILL') // the power fails
  }
  await sleep(1_000)
  print('nobody knows of a mail')
  await app.close()
}
