// Clients that are slow, greedy, or gone. What takes half a minute or more is in
// tests/stress/patience.test.ts, a thousand followers (S13) in tests/stress/followers.test.ts.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { json } from '../../lib/reply.ts'
import type { Request } from '../../lib/request.ts'
import { processing, request, TYPE } from '../exchanges.ts'
import { handshake } from '../handshake.ts'
import { connectSocket, dial, latch, startApp, until } from '../helpers.ts'
import { checkHealth, type Fault, faultTest } from './fault.ts'

const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** Says a piece of it twice a second, until nobody listens any more. */
async function dribble(socket: Socket, pieces: () => string): Promise<void> {
  while (!socket.destroyed) {
    socket.write(pieces())
    await delay(500)
  }
}

// — what Node and ws have timers for: side by side, since each takes its time —

const waits: [what: string, wait: (fault: Fault) => Promise<void>][] = [
  [
    'S1: who connects and says nothing hears 408',
    async (fault) => assert.match(await dial(fault.scope, fault.url).closed, /^HTTP\/1.1 408 /),
  ],
  [
    'S2: who sends one header after the other, and no end of them, hears 408',
    async (fault) => {
      const { socket, closed } = dial(
        fault.scope,
        fault.url,
        'GET / HTTP/1.1\r\nHost: localhost\r\n',
      )
      dribble(socket, () => 'X: 1\r\n')
      assert.match(await closed, /^HTTP\/1.1 408 /)
    },
  ],
  [
    'S2: who sends its first line letter by letter hears 408',
    async (fault) => {
      const { socket, closed } = dial(fault.scope, fault.url, 'GET /')
      dribble(socket, () => 'a')
      assert.match(await closed, /^HTTP\/1.1 408 /)
    },
  ],
  [
    'S5: a connection that is kept for a next request is closed without a word',
    async (fault) => {
      const hoard = Array.from({ length: 50 }, () => dial(fault.scope, fault.url, HEALTH).closed)
      for (const answer of await Promise.all(hoard)) {
        assert.equal(answer.match(/HTTP\/1.1 /g)?.length, 1)
        assert.match(answer, /^HTTP\/1.1 200 /)
      }
    },
  ],
  [
    'S5: on one connection a thousand requests are answered, the rest is refused',
    async (fault) => {
      const { socket, closed } = dial(fault.scope, fault.url)
      for (let sent = 0; sent < 1_010; sent++) {
        socket.write(HEALTH)
        await once(socket, 'data')
      }
      const statuses = [...(await closed).matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => status)
      assert.deepEqual(statuses, [...Array(1_000).fill('200'), ...Array(10).fill('503')])
    },
  ],
  [
    'S11: a WebSocket that does not answer the close frame is cut',
    async (fault) => {
      const { socket, closed } = dial(fault.scope, fault.url, handshake())
      await once(socket, 'data')
      socket.write(Buffer.from([0x82, 0x80, 0, 0, 0, 0])) // binary, empty, masked
      assert.ok((await closed).includes('\x03\xebexpected text'), 'a close frame with 1003')
    },
  ],
  [
    'S11: and so is one that does not even read it',
    async (fault) => {
      const { socket, closed } = dial(fault.scope, fault.url, handshake())
      await once(socket, 'data')
      socket.pause().write(Buffer.from([0x82, 0x80, 0, 0, 0, 0]))
      await until(() => fault.hub.size === 0)
      socket.resume()
      await closed
    },
  ],
]

faultTest('who waits for nothing is let go, each in its time', async (fault, t) => {
  await Promise.all(waits.map(([what, wait]) => t.test(what, () => wait(fault))))
  assert.equal(fault.tasks.size, 0)
})

// — who goes too soon —

faultTest('S7: who half-closes behind a request hears a fast answer', async (fault) => {
  const { socket, closed } = dial(fault.scope, fault.url)
  socket.end(HEALTH)
  assert.match(await closed, /^HTTP\/1.1 200 /)
})

faultTest('S7: a job runs also if its client half-closes behind it', async (fault) => {
  const { socket, closed } = dial(fault.scope, fault.url)
  socket.end(processing('{}', TYPE))
  await closed // with the answer or without: by then the client has said that it is done
  await until(async () => (await fault.tasks.list({ limit: 1, state: 'succeeded' })).tasks.length)
})

let late: Fault
const given = latch()
let runs = 0
const routes = {
  'GET /late': async ({ replied }: Request) => {
    await late.tasks.add(() => runs++, undefined, { after: replied })
    await given.opened
    return json(200, 'too late')
  },
}

faultTest(
  'S7: a slow answer is lost with a half-closed connection, its task is not',
  async (fault) => {
    late = fault
    const { socket, closed } = dial(fault.scope, fault.url)
    socket.end(request('GET /late HTTP/1.1'))
    assert.equal(await closed, '')
    await until(() => runs === 1)
    given.open()
  },
  { routes },
)

// — many at once —

const STATES = 500

faultTest(
  'S9: a follower that does not read gets the newest state, the others each',
  async (fault) => {
    const { hub, scope, tasks, url } = fault
    const { opened, open } = latch()
    const { id } = await tasks.add(() => opened)
    const topic = `task:${id}`
    const [slow, quick] = [await connectSocket(scope, url), await connectSocket(scope, url)]
    for (const socket of [slow, quick]) {
      await socket.ask({ type: 'subscribe', topic })
      await socket.nextOf('message') // the present state
    }

    slow.socket.pause()
    for (let n = 1; n <= STATES; n++) {
      await hub.publish(topic, { n, text: 'x'.repeat(60_000) }) // 30 MB in all
      assert.equal((await quick.nextOf('message')).data.n, n)
    }
    slow.socket.resume()
    const heard: number[] = []
    do heard.push((await slow.nextOf('message')).data.n)
    while (heard.at(-1) !== STATES)

    assert.ok(heard.length < STATES, `${heard.length}`)
    assert.deepEqual(
      heard,
      heard.toSorted((a, b) => a - b),
    )
    open()
  },
)

const CROWD: NodeJS.ProcessEnv = { MAX_CONNECTIONS: '1000', MAX_CONNECTIONS_PER_ADDRESS: '1000' }

faultTest(
  'S12: all that were told goodbye may come back at once, and each has been told another time',
  async ({ scope, url }) => {
    const count = 200
    const connectAll = (to: string) =>
      Promise.all(Array.from({ length: count }, () => connectSocket(scope, to)))
    const old = await startApp(scope, CROWD)
    const { port } = new URL(old.url)
    const sockets = await connectAll(old.url)
    const goodbyes = Promise.all(sockets.map((socket) => socket.nextOf('goodbye')))
    await old.close(5_000)
    const delays = (await goodbyes).map(({ delay }) => delay)
    assert.ok(new Set(delays).size > count / 2, 'spread')
    assert.ok(Math.max(...delays) <= 1_000 + 5 * count, 'within')

    await startApp(scope, { ...CROWD, PORT: port })
    for (const socket of await connectAll(old.url)) {
      assert.equal((await socket.ask({ type: 'subscribe', topic: 'room:a' })).type, 'ok')
    }
    await checkHealth(url)
  },
)
