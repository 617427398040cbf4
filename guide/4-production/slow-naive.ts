// A slow reader, the naive way: what it does not read is kept for it, without end.

import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { print } from '../lesson.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
await once(server, 'listening')
const { port } = server.address() as { port: number }
const reader = new WebSocket(`ws://127.0.0.1:${port}`)
const [socket] = await once(server, 'connection')
await once(reader, 'open')

reader.pause() // the phone has no signal
print('1,000 messages of 50 KB for one who does not read')
for (let n = 0; n < 1_000; n++) socket.send('x'.repeat(50_000))
print(`kept in memory: ${Math.round(socket.bufferedAmount / 1_000_000)} MB`)

reader.terminate()
server.close()
