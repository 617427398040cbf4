// A client that is gone without a word: its laptop was shut, its train is in a tunnel. TCP alone may not
// notice for hours. So the server pings, and a client that does not answer is cut off.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { createLog } from '../../lib/log.ts'
import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'

let left = () => {}
const log = createLog('info', (line) => {
  const { message, user, code } = JSON.parse(line)
  if (message !== 'client disconnected') return
  print(`log: ${message}, ${user}, ${code}`)
  left()
})
const app = await createApp(settings({ HEARTBEAT_SECONDS: '1' }), { log })
const url = socketUrl(app.url)

const alive = new WebSocket(`${url}?user=alive`, 'meanwhile.v1')
const silent = new WebSocket(`${url}?user=silent`, 'meanwhile.v1', { autoPong: false })
await Promise.all([once(alive, 'open'), once(silent, 'open')])
print(`${app.hub.size} clients`)
await new Promise<void>((done) => {
  left = done
})
print(`${app.hub.size} client`)
await app.close()
