// A synchronous function, first on the event loop, then in a thread. How long do others wait meanwhile?

import { createLog } from '../../lib/log.ts'
import { type App, createApp } from '../../server.ts'
import { print, settings } from '../lesson.ts'
import { blurHere, blurInThread } from './blur.ts'

// A log of our own: it shows what the server says of tasks that block.
const log = createLog('warn', (line) => {
  const { message, name } = JSON.parse(line)
  if (name) print(`log: ${message}, ${name}`)
})
const app: App = await createApp(settings({ BLOCKED_MS: '100' }), {
  definitions: [blurHere, blurInThread],
  log,
})

print('two pictures')
for (const work of [blurHere, blurInThread]) {
  const { id } = await app.tasks.add(work, 30)
  let slowest = 0 // milliseconds
  while ((await app.tasks.find(id))?.endedAt === null) {
    const asked = performance.now()
    await fetch(`${app.url}/healthz`)
    slowest = Math.max(slowest, performance.now() - asked)
  }
  const task = await app.tasks.find(id)
  print(`${task?.name}: ${task?.result}; meanwhile a request took up to ${slowest.toFixed(0)} ms`)
}
await app.close()
