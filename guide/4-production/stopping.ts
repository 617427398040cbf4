// A new version is rolled out: the old server gets SIGTERM, while a task runs and a client listens.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { run } from '../../lib/process.ts'
import { createApp } from '../../server.ts'
import { defineTask } from '../../tasks.ts'
import { print, settings, socketUrl } from '../lesson.ts'

const [, , way] = process.argv
if (way) await serve()
else for (const one of ['naive', 'better']) await stop(one)

async function serve(): Promise<void> {
  const mail = defineTask('mail', async (_: null, context) => {
    process.send!('the task has begun')
    await context.sleep(1_000)
    console.log('       mail sent')
  })
  const start = () => createApp(settings(), { definitions: [mail] })
  const app = await (way === 'better' ? run(start) : start())
  process.once('message', () => app.tasks.add(mail, null)).send!(app.url)
}

async function stop(one: string): Promise<void> {
  print(`the ${one} way`)
  const server = fork(new URL(import.meta.url), [one])
  const [url] = await once(server, 'message')
  const client = new WebSocket(socketUrl(url), 'meanwhile.v1')
  client.once('open', () => server.send('add the task'))
  await once(server, 'message') // it has begun
  server.kill('SIGTERM')
  const [[code], [status, signal]] = await Promise.all([
    once(client, 'close'),
    once(server, 'exit'),
  ])
  print(`the client was closed with ${code}, the server ended with ${signal ?? status}`)
}
