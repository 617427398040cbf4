// The naive chat: a list of sockets, and a loop. A client that was away for a moment has missed
// what was said, and nobody can tell.

import { once } from 'node:events'
import { type WebSocket as Socket, WebSocket, WebSocketServer } from 'ws'
import { print } from '../lesson.ts'

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
const sockets: Socket[] = []
server.on('connection', (socket) => {
  sockets.push(socket) // and who takes it out again?
  socket.on('message', (text) => {
    for (const one of sockets) one.send(String(text))
  })
})
await once(server, 'listening')
const { port } = server.address() as { port: number }

async function join(hear: (text: unknown) => void): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  socket.on('message', hear)
  await once(socket, 'open')
  return socket
}
const ada = await join(() => {})
const bob = await join((text) => print(`Bob hears: ${text}`))
bob.terminate() // his train goes into a tunnel
await once(sockets[1]!, 'close')
ada.send('Bob, the house is on fire!')
await once(ada, 'message') // so it has been sent to all
const back = await join((text) => print(`Bob, who is back, hears: ${text}`))
ada.send('Never mind, it is out.')
await once(back, 'message')
print(`the list has ${sockets.length} sockets, of 2 people`)
server.close()
for (const socket of [ada, back]) socket.close()
