// A slow reader, the better way: what is kept for one has a bound. Beyond it the reader is cut off, and
// may come back for what it has missed.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { createLog } from '../../lib/log.ts'
import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'

let cut = () => {}
const log = createLog('info', (line) => {
  const { message, user, code } = JSON.parse(line)
  if (message !== 'client disconnected') return
  print(`log: ${message}, ${user}, ${code}`)
  cut()
})
const app = await createApp(settings({ MAX_UNSENT: '1000000' }), { log })

const reader = new WebSocket(`${socketUrl(app.url)}?user=bob`, 'meanwhile.v1')
await once(reader, 'open')
reader.send('{"type":"subscribe","id":1,"topic":"room:news"}')
await once(reader, 'message') // the answer

reader.pause() // the phone has no signal
print('1,000 messages of 50 KB for one who does not read')
const isCut = new Promise<void>((done) => {
  cut = done
})
for (let n = 0; n < 1_000; n++) await app.hub.publish('room:news', 'x'.repeat(50_000))
await isCut
reader.terminate()
await app.close()
