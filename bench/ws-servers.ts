// The servers that `ws.ts` compares, each a child process of it: `node ws-servers.ts NAME`. It tells
// its port, and then what its parent asks for: bytes of memory, time of CPU.
//
// A bare `ws` is used as its own examples do, at best: a message is encoded once, to a buffer, and `ws`
// frames it for each client; `writes` does not even that. Socket.IO is tuned as its documentation has it for many connections.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server as SocketIo } from 'socket.io'
import { type WebSocket, WebSocketServer } from 'ws'
import { readSettings } from '../lib/config.ts'
import { textFrame } from '../lib/frame.ts'
import { createApp } from '../server.ts'
import { answerWith, cpu } from './child.ts'
import { profile } from './profile.ts'

const TOPIC = 'room:bench'

async function meanwhile(): Promise<number> {
  const settings = readSettings({
    PORT: '0',
    JOURNAL: 'off',
    LOG_LEVEL: 'silent',
    MAX_CONNECTIONS: '100000',
    MAX_CONNECTIONS_PER_ADDRESS: '100000',
    MAX_TOPICS: '10000',
    MESSAGE_RATE: '1000000',
    MESSAGE_BURST: '1000000',
    HEARTBEAT_SECONDS: process.env.HEARTBEAT_SECONDS,
    BUS_URL: process.env.BUS_URL,
  })
  const { url } = await createApp(settings)
  return Number(new URL(url).port)
}

/** An echo, or with a subprotocol a room, in as much of the language of `meanwhile.v1` as it takes. */
async function bareWs(): Promise<number> {
  const http = createServer()
  const room = new Set<WebSocket>()
  new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) => {
    socket.on('close', () => room.delete(socket))
    socket.on('message', (message) => {
      if (socket.protocol === '') return socket.send(`You said: ${message}`)
      const { type, id, data } = JSON.parse(message.toString())
      if (type === 'subscribe') {
        room.add(socket)
        return socket.send(JSON.stringify({ type: 'ok', id, topic: TOPIC }))
      }
      const buffer = Buffer.from(JSON.stringify(envelope(data)))
      for (const client of room) client.send(buffer, { binary: false })
    })
  })
  return listen(http)
}

/** The least that a fan-out can be: a frame that is made once, and a write of it to each raw socket. */
async function writes(): Promise<number> {
  const http = createServer()
  const upgrades = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const room = new Set<Duplex>()
  http.on('upgrade', (req, raw, head) => {
    raw.on('close', () => room.delete(raw))
    upgrades.handleUpgrade(req, raw, head, (socket) => {
      socket.on('message', (message) => {
        const { type, id, data } = JSON.parse(message.toString())
        if (type === 'subscribe') {
          room.add(raw)
          return socket.send(JSON.stringify({ type: 'ok', id, topic: TOPIC }))
        }
        const frame = textFrame(JSON.stringify(envelope(data)))
        for (const follower of room) follower.write(frame)
      })
    })
  })
  return listen(http)
}

async function socketIo(): Promise<number> {
  const http = createServer()
  const io = new SocketIo(http, {
    transports: ['websocket'],
    perMessageDeflate: false,
    serveClient: false,
  })
  io.engine.on('connection', (raw) => {
    raw.request = null // which would be kept for as long as the connection
  })
  io.on('connection', (socket) => {
    socket.on('subscribe', async (done: () => void) => {
      await socket.join(TOPIC)
      done()
    })
    socket.on('publish', (data) => io.to(TOPIC).emit('message', envelope(data)))
  })
  return listen(http)
}

let offset = 0

/** What `meanwhile` sends for a message, field by field. */
function envelope(data: unknown) {
  const [type, from, at] = ['message', 'guest-0f2c4a1b', new Date().toISOString()]
  return { type, topic: TOPIC, offset: ++offset, from, at, data }
}

async function listen(http: Server): Promise<number> {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  return (http.address() as AddressInfo).port
}

function memory(): number {
  global.gc!()
  return process.memoryUsage.rss()
}

async function rss(): Promise<number> {
  memory() // what is freed here is given back a little later
  await sleep(200)
  return memory()
}

const servers: Readonly<Record<string, () => Promise<number>>> = {
  meanwhile,
  ws: bareWs,
  writes,
  'socket.io': socketIo,
}

const [, , name = ''] = process.argv
answerWith({ cpu, profile, rss }, await servers[name]!())
