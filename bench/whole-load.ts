// Asks a server as a probe does, one request after the other, so that this process does little itself;
// and gives it pictures to draw, enough of them at once.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerWith } from './child.ts'
import { quantile } from './figures.ts'

const PER_CONNECTION = 900 // requests: after 1,000 the server closes it
const PICTURE = JSON.stringify({ width: 1_500, height: 1_500, iterations: 1_500 }) // takes a second or two

interface Delays {
  readonly p50: number
  readonly p99: number
}

/** For so many milliseconds. */
async function probe(port: number, milliseconds: number): Promise<Delays> {
  const request = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
  const until = performance.now() + milliseconds
  const times: number[] = []
  while (performance.now() < until) {
    const socket = await connected(port)
    for (let i = 0; i < PER_CONNECTION && performance.now() < until; i++) {
      const started = performance.now()
      await ask(socket, request, '200')
      times.push(performance.now() - started)
    }
    socket.destroy()
  }
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) }
}

async function draw(port: number, count: number): Promise<void> {
  const socket = await connected(port)
  const fields = `Host: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${PICTURE.length}`
  for (let i = 0; i < count; i++) {
    await ask(socket, `POST /render HTTP/1.1\r\n${fields}\r\n\r\n${PICTURE}`, '202')
  }
  socket.destroy()
}

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  await once(socket, 'connect')
  return socket
}

// A reply is short enough to come as one piece.
async function ask(socket: Socket, request: string, expected: string): Promise<void> {
  const reply = await new Promise<Buffer>((resolve) => {
    socket.once('data', resolve)
    socket.write(request)
  })
  const status = reply.toString('latin1', 9, 12)
  if (status !== expected) throw new Error(`expected ${expected}, got ${reply}`)
}

answerWith({ probe, draw })
