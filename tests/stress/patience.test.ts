// What takes half a minute or more: the limits on clients that dribble a body, or do not read a reply.
// All of it side by side, so that the whole takes as long as the longest, some 70 s.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { json } from '../../lib/reply.ts'
import type { App } from '../../server.ts'
import { request, TYPE } from '../exchanges.ts'
import { dial, startApp } from '../helpers.ts'

const BIG = 'x'.repeat(20_000_000) // more than the kernel takes for a client that does not read
const SIP = 250_000 // bytes a second
const LONG = 68_000 // milliseconds: beyond the minute after which a connection is cut at the latest

const PROCESS = 'POST /process HTTP/1.1'
const GET_BIG = 'GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** Says it again and again, until nobody listens. */
async function dribble(socket: Socket, piece: string): Promise<void> {
  while (socket.writable) {
    socket.write(piece)
    await delay(250)
  }
}

const bodies: [what: string, start: string, piece: string][] = [
  ['is announced and does not come', request(PROCESS, TYPE, 'Content-Length: 10'), ''],
  ['comes byte by byte', request(PROCESS, TYPE, 'Content-Length: 1000'), ' '],
  [
    'comes in chunks of one byte',
    request(PROCESS, TYPE, 'Transfer-Encoding: chunked'),
    '1\r\n \r\n',
  ],
]

const cases: [what: string, run: (t: TestContext, app: App) => Promise<void>][] = [
  ...bodies.map(([what, start, piece]): (typeof cases)[number] => [
    `S3: a body that ${what} is 408, and no task`,
    async (t, app) => {
      const { socket, closed } = dial(t, app.url, start)
      if (piece) dribble(socket, piece)
      assert.match(await closed, /^HTTP\/1.1 408 /)
      assert.equal(app.tasks.size, 0)
    },
  ]),
  ...[1, 20].map((count): (typeof cases)[number] => [
    `S4: who asks for a big reply ${count}× and does not read is cut`,
    async (t, app) => {
      const { socket, closed } = dial(t, app.url, GET_BIG.repeat(count))
      socket.pause()
      await delay(LONG)
      socket.resume()
      const { length } = await closed
      assert.ok(length < BIG.length, `${length} bytes`)
    },
  ]),
  [
    'S4: who reads slowly, and does read, gets the whole',
    async (t, app) => {
      const { socket, closed } = dial(
        t,
        app.url,
        GET_BIG.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
      )
      const started = performance.now()
      while (performance.now() < started + LONG && !socket.closed) {
        const enough = socket.bytesRead + SIP
        socket.resume()
        while (socket.bytesRead < enough && !socket.closed)
          await Promise.race([once(socket, 'data'), closed])
        socket.pause()
        await delay(1_000)
      }
      socket.resume()
      assert.ok((await closed).length > BIG.length)
    },
  ],
  [
    'a handler may take longer than a client may',
    async (t, app) => {
      const { closed } = dial(t, app.url, request('GET /slow HTTP/1.1'))
      assert.match(await closed, /at last/)
    },
  ],
]

test('who takes too long is let go, each in its time', { concurrency: true }, async (t) => {
  const routes = {
    'GET /big': () => json(200, BIG),
    'GET /slow': async () => {
      await delay(LONG)
      return json(200, 'at last')
    },
  }
  const app = await startApp(t, {}, { routes })
  await Promise.all(cases.map(([what, run]) => t.test(what, (t) => run(t, app))))
  assert.equal((await fetch(`${app.url}/healthz`)).status, 200)
})
