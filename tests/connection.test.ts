import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { Connection } from '../lib/connection.ts'
import { batchOf, type Frame, textFrame } from '../lib/frame.ts'
import { connectSocket, type Json, startApp, type TestSocket, until } from './helpers.ts'

const MIB = 1_048_576
const FILL = 'x'.repeat(262_144)
const LIMITS = {
  maxUnsent: 16 * MIB,
  messageRate: 20,
  messageBurst: 40,
  heartbeatSeconds: 25,
}

interface Pair {
  readonly connection: Connection
  /** The server's end, as it came with the upgrade. */
  readonly raw: Duplex
  readonly client: TestSocket
}

/** A client, and the server's side of it. */
async function connectPair(t: TestContext, limits: Partial<typeof LIMITS> = {}): Promise<Pair> {
  const upgrader = new WebSocketServer({ noServer: true })
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const welcomed = new Promise<Omit<Pair, 'client'>>((resolve) => {
    server.on('upgrade', (req, raw, head) => {
      upgrader.handleUpgrade(req, raw, head, (socket) => {
        const identity = { user: 'alice', isAdmin: false, isGuest: false }
        const client = { address: '', identity }
        const connection = new Connection(socket, raw, client, { ...LIMITS, ...limits })
        socket.on('close', () => connection.writer.close())
        t.after(() => connection.terminate())
        resolve({ connection, raw })
      })
    })
  })
  const { port } = server.address() as AddressInfo
  const client = await connectSocket(t, `http://127.0.0.1:${port}`)
  return { ...(await welcomed), client }
}

const message = (data: unknown, slot?: string, isLossy?: boolean): Frame => ({
  bytes: textFrame(JSON.stringify(data)),
  slot,
  isLossy,
})

const deliver = (connection: Connection, ...frames: Frame[]) => connection.deliver(batchOf(frames))

/** The client stops reading, and is sent more than the kernel holds. */
async function clog({ connection, raw, client }: Pair): Promise<void> {
  client.socket.pause()
  do {
    connection.sendText(FILL)
    await turn()
  } while (raw.writableLength < 2 * MIB)
  assert.equal(connection.writer.isLagging, true)
}

/** What comes after all that it was clogged with, up to the mark, which is sent when it has read. */
async function rest({ connection, client }: Pair): Promise<Json[]> {
  const read: Json[] = []
  client.socket.resume()
  while (connection.writer.isLagging) await turn()
  connection.sendText('"mark"')
  for (;;) {
    const text = await client.text()
    if (text === '"mark"') return read
    if (text !== FILL) read.push(JSON.parse(text))
  }
}

// — one write a turn —

/** How often the server's end is written to from now on. */
function countWrites(t: TestContext, raw: Duplex): () => number {
  const methods = raw as unknown as Record<'_write' | '_writev', () => void>
  const mocks = [t.mock.method(methods, '_write'), t.mock.method(methods, '_writev')]
  return () => mocks.reduce((sum, { mock }) => sum + mock.callCount(), 0)
}

test('what is sent in one turn leaves in one write, in order', async (t) => {
  const { connection, raw, client } = await connectPair(t)
  const writes = countWrites(t, raw)
  const sent = Array.from({ length: 10 }, (_, n) => n)

  for (const n of sent) {
    if (n % 2 === 0) connection.sendText(String(n))
    else deliver(connection, message(n))
  }
  const read = []
  for (const _ of sent) read.push(await client.next())

  assert.deepEqual(read, sent)
  assert.equal(writes(), 1)
})

test('what comes of several topics in one turn leaves in one write, in order', async (t) => {
  const { connection, raw, client } = await connectPair(t)
  const writes = countWrites(t, raw)

  connection.deliver(batchOf([message('a')]), true)
  connection.deliver(batchOf([message('b')]), true)
  connection.deliver(batchOf([message('c')]), false)

  for (const text of 'abc') assert.equal(await client.next(), text)
  assert.equal(writes(), 1)
})

test('what is sent in another turn leaves in another write', async (t) => {
  const { connection, raw, client } = await connectPair(t)
  const writes = countWrites(t, raw)
  for (const turns of [1, 2, 3]) {
    connection.sendText('"a"')
    connection.sendText('"b"')
    await client.next()
    await client.next()
    assert.equal(writes(), turns)
  }
})

test('W16: what is sent ahead of a close arrives, and what is sent after it does not', async (t) => {
  const { connection, client } = await connectPair(t)
  const heard: string[] = []
  client.socket.on('message', (data) => heard.push(String(data)))

  connection.sendText('"before"')
  connection.close(4001, 'too slow a reader')
  connection.sendText('"after"')
  deliver(connection, message('after'))

  assert.equal(await client.closed, 4001)
  assert.deepEqual(heard, ['"before"'])
})

// — a reader that lags —

test('a reader that lags gets the newest transient message of each sender', async (t) => {
  const pair = await connectPair(t)
  const { connection } = pair
  await clog(pair)

  for (let n = 1; n <= 3; n++) {
    deliver(connection, message(`alice ${n}`, 'room:a alice', true))
    deliver(connection, message(`bob ${n}`, 'room:a bob', true), message(`kept ${n}`))
  }

  assert.deepEqual(await rest(pair), ['kept 1', 'kept 2', 'kept 3', 'alice 3', 'bob 3'])
})

test('S9: a reader that lags gets a task’s newest state, and it comes last', async (t) => {
  const pair = await connectPair(t)
  await clog(pair)

  for (let n = 1; n <= 50; n++) {
    for (const task of ['task:1', 'task:2']) {
      deliver(pair.connection, message({ task, n }, task))
    }
  }
  const read = await rest(pair)

  assert.deepEqual(read, [
    { task: 'task:1', n: 50 },
    { task: 'task:2', n: 50 },
  ])
})

test('one that has caught up gets everything again', async (t) => {
  const pair = await connectPair(t)
  const { connection, client } = pair
  await clog(pair)
  deliver(connection, message('held', 'task:1'))
  await rest(pair)

  for (let n = 1; n <= 3; n++) deliver(connection, message(n, 'task:1'))

  assert.deepEqual([await client.next(), await client.next(), await client.next()], [1, 2, 3])
})

test('a reader that reads gets each state and each transient message', async (t) => {
  const { connection, client } = await connectPair(t)
  const states = Array.from({ length: 10 }, (_, n) => n)
  for (const n of states)
    deliver(connection, message(n, n % 2 ? 'task:1' : 'room:a bob', n % 2 < 1))
  for (const n of states) assert.equal(await client.next(), n)
})

test('what a lagging reader must not miss closes it with 4001', async (t) => {
  const pair = await connectPair(t, { maxUnsent: 4 * MIB })
  const { connection, client } = pair
  await clog(pair)

  for (let n = 0; n < 16; n++) deliver(connection, message(FILL))
  assert.equal(connection.closedWith, 4001)
  assert.equal(connection.isOpen, false)
  client.socket.resume()

  assert.equal(await client.closed, 4001)
})

test('states of more tasks than may wait close with 4001', async (t) => {
  const pair = await connectPair(t, { maxUnsent: 4 * MIB })
  const { connection, client } = pair
  await clog(pair)

  for (let n = 0; n < 9; n++) deliver(connection, message(FILL, `task:${n}`))
  client.socket.resume()

  assert.equal(connection.closedWith, 4001)
  assert.equal(await client.closed, 4001)
})

test('more transient messages than may wait close nothing: the oldest are left out', async (t) => {
  const pair = await connectPair(t, { maxUnsent: 4 * MIB })
  await clog(pair)

  for (let n = 0; n < 50; n++) {
    const data = { n, text: 'x'.repeat(100_000) }
    deliver(pair.connection, message(data, `room:a user-${n}`, true))
  }
  const numbers = (await rest(pair)).map(({ n }) => n)

  assert.equal(pair.connection.isOpen, true)
  assert.ok(numbers.length > 0 && numbers.length < 50)
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, i) => 50 - numbers.length + i),
  )
})

test('what was held back of a topic that is forgotten does not go out', async (t) => {
  const pair = await connectPair(t)
  const { connection } = pair
  await clog(pair)

  for (const slot of ['task:1', 'room:a bob', 'room:b bob']) {
    deliver(connection, message(slot, slot))
  }
  for (const topic of ['task:1', 'room:a', 'room:never']) connection.writer.forget(topic)

  assert.deepEqual(await rest(pair), ['room:b bob'])
})

test('whoever waits for a lagging reader goes on when it has read', async (t) => {
  const pair = await connectPair(t)
  const { connection } = pair
  await clog(pair)
  let isDrained = false
  const drained = Promise.all([connection.writer.drained(), connection.writer.drained()]).then(
    () => {
      isDrained = true
    },
  )

  await turn()
  assert.equal(isDrained, false)
  await rest(pair)

  await drained
})

test('whoever waits for a lagging reader goes on when it is cut', async (t) => {
  const pair = await connectPair(t)
  await clog(pair)
  const drained = pair.connection.writer.drained()
  pair.client.socket.terminate()
  await drained
  assert.equal(pair.connection.isOpen, false)
})

test('one that asks and asks, and does not read, is closed with 4001', async (t) => {
  const pair = await connectPair(t)
  const { connection, client } = pair
  await clog(pair)

  const waiting = Array.from({ length: 100 }, () => connection.writer.drained())
  assert.equal(connection.isOpen, true)
  await connection.writer.drained()
  client.socket.resume()

  assert.equal(await client.closed, 4001)
  await Promise.all(waiting)
})

// — the whole server —

test('a burst beyond MAX_UNSENT in one turn closes nobody who reads', async (t) => {
  const { url, hub } = await startApp(t, { MAX_UNSENT: '65536' })
  const reader = await connectSocket(t, url)
  await reader.ask({ type: 'subscribe', topic: 'room:a' })

  for (let n = 1; n <= 10; n++) hub.publish('room:a', 'x'.repeat(10_000))
  const offsets = []
  while (offsets.at(-1) !== 10) {
    const next = await Promise.race([reader.nextOf('message'), reader.closed])
    assert.ok(next.offset, `closed with ${next}`)
    offsets.push(next.offset)
  }

  assert.equal(offsets.length, 10)
})

test('S9: the others hear everything, in order, while one does not read', async (t) => {
  const { url, hub } = await startApp(t)
  const sockets = await Promise.all(Array.from({ length: 4 }, () => connectSocket(t, url)))
  for (const socket of sockets) await socket.ask({ type: 'subscribe', topic: 'room:a' })
  const [stalled, ...others] = sockets
  stalled!.socket.pause()

  const total = 500 // 30 MB
  for (let n = 1; n <= total; n++) {
    await hub.publish('room:a', 'x'.repeat(60_000))
    for (const socket of others) assert.equal((await socket.nextOf('message')).offset, n)
  }
  stalled!.socket.resume()

  assert.equal(await stalled!.closed, 4001)
})

test('after unsubscribing nothing of the topic comes, also of what was held back', async (t) => {
  const { url, hub } = await startApp(t, { MAX_UNSENT: String(64 * MIB) })
  const [reader, talker] = [await connectSocket(t, url), await connectSocket(t, url)]
  for (const topic of ['room:a', 'tasks']) await reader.ask({ type: 'subscribe', topic })
  reader.socket.pause()
  for (let n = 0; n < 48; n++) {
    await hub.publish('tasks', 'x'.repeat(MIB)) // far more than the kernel holds for it
    await turn()
  }
  await talker.ask({ type: 'subscribe', topic: 'room:a' })
  for (let n = 0; n < 5; n++) {
    await talker.ask({ type: 'publish', topic: 'room:a', data: n, transient: true })
    await talker.nextOf('message')
  }

  reader.send({ type: 'unsubscribe', id: 'gone', topic: 'room:a' })
  reader.send({ type: 'publish', id: 'mark', topic: 'room:a', data: 'it has left' })
  await talker.nextOf('message')
  reader.socket.resume()
  while ((await reader.next()).id !== 'gone');

  assert.equal((await reader.next()).id, 'mark') // nothing of the topic in between, nor behind
  reader.send({ type: 'ping' })
  assert.equal((await reader.next()).type, 'pong')
})

test('a client comes back to 30 full rooms at once, and gets all of them', async (t) => {
  const { url, hub } = await startApp(t)
  const rooms = Array.from({ length: 30 }, (_, n) => `room:${n}`)
  for (const room of rooms) {
    for (let n = 0; n < 100; n++) await hub.publish(room, 'x'.repeat(2_000))
  }
  const client = await connectSocket(t, url)

  client.socket.pause() // it reads when it has asked for everything
  for (const [id, topic] of rooms.entries()) client.send({ type: 'subscribe', id, topic })
  await until(() => rooms.every((room) => hub.isFollowed(room)))
  client.socket.resume()
  const answers = new Map<number, Json>()
  while (answers.size < rooms.length) {
    const answer = await Promise.race([client.nextOf('ok'), client.closed])
    assert.equal(typeof answer, 'object', `closed with ${answer}`)
    answers.set(answer.id, answer)
  }

  for (const [id, topic] of rooms.entries()) {
    const { messages, ...answer } = answers.get(id)
    assert.deepEqual([answer.topic, answer.offset, messages.length], [topic, 100, 100])
  }
})

const answers: [offset: number, recovered: boolean, count?: number][] = [
  [0, false],
  [90, true, 10],
  [100, true, 0],
]

for (const [offset, recovered, count] of answers) {
  test(`an answer beyond MAX_UNSENT: since ${offset} of 100 it is ${recovered ? 'whole' : 'cut to the newest'}`, async (t) => {
    const { url, hub } = await startApp(t, { MAX_UNSENT: '65536' })
    for (let n = 1; n <= 100; n++) await hub.publish('room:a', 'x'.repeat(2_000))
    const client = await connectSocket(t, url)
    const { epoch } = await client.ask({ type: 'subscribe', topic: 'room:a' })

    const other = await connectSocket(t, url)
    const since = { epoch, offset }
    const answer = await other.ask({ type: 'subscribe', topic: 'room:a', since })

    assert.equal(answer.recovered, recovered)
    const offsets: number[] = answer.messages.map((message: Json) => message.offset)
    if (count === undefined) assert.ok(offsets.length > 10 && offsets.length < 100)
    else assert.equal(offsets.length, count)
    assert.deepEqual(
      offsets,
      Array.from({ length: offsets.length }, (_, i) => 101 - offsets.length + i),
    )
  })
}
