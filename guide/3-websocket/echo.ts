// An echo: the smallest conversation over a WebSocket. Both ends may speak at any time.

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'

const app = await createApp(settings())

const socket = new WebSocket(socketUrl(app.url))
await once(socket, 'open')
print('open')
for (const text of ['hello', 'are you still there?']) {
  socket.send(text)
  const [answer] = await once(socket, 'message')
  print(String(answer))
}
socket.close(1000)
const [code] = await once(socket, 'close')
print(`closed: ${code}`)
await app.close()
