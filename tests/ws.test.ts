import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { readSettings } from '../lib/config.ts'
import { Origins } from '../lib/origin.ts'
import { Hub } from '../ws.ts'
import { handshake } from './handshake.ts'
import {
  connectSocket,
  exchange,
  type Json,
  latch,
  post,
  silent,
  startApp,
  until,
} from './helpers.ts'

// — the echo —

test('without a subprotocol what is said comes back', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url, { protocol: null })

  socket.send('hi')
  assert.equal(await socket.text(), 'You said: hi')
  assert.equal(socket.socket.protocol, '')
})

for (const protocol of [null, 'meanwhile.v1']) {
  test(`a binary frame closes ${protocol ?? 'the echo'} with 1003`, async (t) => {
    const { url } = await startApp(t)
    const socket = await connectSocket(t, url, { protocol })
    socket.socket.send(Buffer.from([1, 2, 3]))
    assert.equal(await socket.closed, 1003)
  })
}

// — frames against the RFC —

const frames: [what: string, frame: Buffer, code: number][] = [
  ['a frame without a mask', Buffer.from([0x81, 0x02, 0x68, 0x69]), 1002],
  ['a reserved bit', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
  ['an unknown opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
  ['a continuation of nothing', Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 1002],
  ['a ping in fragments', Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 1002],
  ['text that is no UTF-8', Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]), 1007],
  ['a frame of 65,537 bytes', Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]), 1009],
  ['a length of 2^63', Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
  [
    '65 fragments',
    Buffer.concat([fragment(1), ...Array.from({ length: 64 }, () => fragment(0))]),
    1008,
  ],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 1002],
]

function fragment(opcode: number): Buffer {
  return Buffer.from([opcode, 0x81, 0, 0, 0, 0, 0x61])
}

for (const [what, frame, code] of frames) {
  test(`${what} closes with ${code}, and the server goes on`, async (t) => {
    const { url, hub } = await startApp(t)
    const answer = await exchange(url, Buffer.concat([Buffer.from(handshake()), frame]))
    const closing = Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1')
    assert.equal(closing[0], 0x88)
    assert.equal(closing.readUInt16BE(2), code)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
    await until(() => hub.size <= 0)
  })
}

test('random bytes after the handshake never end the server', async (t) => {
  const { url } = await startApp(t)
  const noise = Array.from({ length: 50 }, () => randomBytes(200))
  const closings = noise.map(async (bytes) => {
    const close = Buffer.from([0x88, 0x80, 0, 0, 0, 0])
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.end(Buffer.concat([Buffer.from(handshake()), bytes, close]))
    await once(socket, 'close')
  })
  await Promise.all(closings)
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
})

// — messages —

test('in a room everybody hears everybody, the sender too', async (t) => {
  const { url } = await startApp(t)
  const alice = await connectSocket(t, url, { user: 'alice' })
  const bob = await connectSocket(t, url, { user: 'bob' })
  const joined = await alice.ask({ type: 'subscribe', topic: 'room:tea' })
  await bob.ask({ type: 'subscribe', topic: 'room:tea' })

  const answer = await alice.ask({
    type: 'publish',
    id: 'first',
    topic: 'room:tea',
    data: { a: 1 },
  })

  assert.deepEqual(answer, { type: 'ok', id: 'first', offset: 1 })
  const { at, ...message } = await bob.next()
  assert.deepEqual(message, {
    type: 'message',
    topic: 'room:tea',
    offset: 1,
    from: 'alice',
    data: { a: 1 },
  })
  assert.match(at, /Z$/)
  assert.deepEqual(
    { ...joined, epoch: '' },
    { type: 'ok', id: 1, topic: 'room:tea', epoch: '', offset: 0, recovered: false, messages: [] },
  )
})

test('subscribing twice is one delivery, and after unsubscribing nothing comes', async (t) => {
  const { url, hub } = await startApp(t)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: 'room:a' })
  await socket.ask({ type: 'subscribe', topic: 'room:a' })

  await hub.publish('room:a', 'one')
  await hub.publish('room:a', 'two')
  assert.equal((await socket.next()).data, 'one')
  assert.equal((await socket.next()).data, 'two')

  assert.deepEqual(await socket.ask({ type: 'unsubscribe', id: 5, topic: 'room:a' }), {
    type: 'ok',
    id: 5,
  })
  await hub.publish('room:a', 'three')
  socket.send({ type: 'ping' })
  assert.equal((await socket.next()).type, 'pong')
})

test('who was away knows whether something was missed', async (t) => {
  const { url, hub } = await startApp(t)
  const stays = await connectSocket(t, url)
  await stays.ask({ type: 'subscribe', topic: 'room:a' })
  const { epoch, offset } = await stays
    .ask({ type: 'publish', topic: 'room:a', data: 1 })
    .then(() => stays.ask({ type: 'subscribe', topic: 'room:a' }))
  const returns = async (since: unknown) => {
    const socket = await connectSocket(t, url)
    return (await socket.ask({ type: 'subscribe', topic: 'room:a', since })).recovered
  }

  assert.equal(await returns({ epoch, offset }), true)
  assert.equal(await returns({ epoch, offset: offset - 1 }), false)
  assert.equal(await returns({ epoch, offset: offset + 1 }), false)
  assert.equal(await returns({ epoch: 'another', offset }), false)
  await hub.publish('room:a', 2)
  assert.equal(await returns({ epoch, offset }), false)
})

test('a room that everybody left is another one when it is made again', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url)
  const first = await socket.ask({ type: 'subscribe', topic: 'room:a' })
  await socket.ask({ type: 'unsubscribe', topic: 'room:a' })
  const second = await socket.ask({ type: 'subscribe', topic: 'room:a' })
  assert.notEqual(first.epoch, second.epoch)
})

test('topics and rooms have a bound, which is free again after leaving', async (t) => {
  const { url } = await startApp(t, { MAX_TOPICS: '2', MAX_ROOMS: '2' })
  const alice = await connectSocket(t, url, { user: 'alice' })
  const bob = await connectSocket(t, url, { user: 'bob' })
  const join = (socket: typeof alice, topic: string) => socket.ask({ type: 'subscribe', topic })

  assert.equal((await join(alice, 'room:a')).type, 'ok')
  assert.equal((await join(alice, 'room:b')).type, 'ok')
  assert.equal((await join(alice, 'user:alice')).code, 'too_many_topics')
  assert.equal((await join(bob, 'room:c')).code, 'too_many_rooms')
  assert.equal((await join(bob, 'room:a')).type, 'ok')
  alice.socket.terminate()
  await alice.closed
  let answer: Json
  do answer = await join(bob, 'room:c')
  while (answer.type === 'error')
})

test('a task topic begins with the present state, then come the changes', async (t) => {
  const app = await startApp(t)
  const { opened, open } = latch()
  const { id } = await app.tasks.add(() => opened)
  const socket = await connectSocket(t, app.url)

  assert.equal((await socket.ask({ type: 'subscribe', topic: `task:${id}` })).type, 'ok')
  const first = await socket.next()
  assert.deepEqual([first.data.id, first.data.state, first.offset], [id, 'running', undefined])
  open()
  const last = await socket.next()
  assert.deepEqual([last.data.state, last.offset], ['succeeded', 1])
})

test('the topic of a finished task tells its end at once', async (t) => {
  const app = await startApp(t)
  const { id } = await app.tasks.add(() => 42)
  await app.tasks.idle()
  const socket = await connectSocket(t, app.url)
  await socket.ask({ type: 'subscribe', topic: `task:${id}` })
  const { data, offset } = await socket.next()
  assert.deepEqual([data.state, data.result, offset], ['succeeded', 42, undefined])
})

test('the topic of all tasks begins with the newest, then come changed ones together', async (t) => {
  const app = await startApp(t)
  await app.tasks.add(() => 'a result')
  await app.tasks.idle()
  const socket = await connectSocket(t, app.url)
  await socket.ask({ type: 'subscribe', topic: 'tasks' })

  const before = await socket.next()
  assert.deepEqual(
    before.data.map((task: Json) => [task.state, task.result]),
    [['succeeded', null]],
  )
  const added = await Promise.all(Array.from({ length: 20 }, () => app.tasks.add(() => 1)))
  const states = new Map<string, string>()
  const isEnd = ({ id }: { id: string }) => states.get(id) === 'succeeded'
  while (!added.every(isEnd)) {
    for (const { id, state, result } of (await socket.next()).data) {
      states.set(id, state)
      assert.equal(result, null)
    }
  }
})

/** A hub whose look-up of tasks is in the hands of the test, behind a server of its own. */
async function startHub(t: TestContext, lookUp: () => Promise<unknown>) {
  const settings = readSettings({})
  const hub = new Hub({
    ...settings,
    path: '/ws',
    log: silent,
    origins: new Origins(settings),
    isDraining: () => false,
    addressOf: () => '',
    identify: () => ({ user: 'alice', isAdmin: true, isGuest: false }),
    lookUps: { task: lookUp },
  })
  const server = createServer().on('upgrade', (...upgrade) => hub.upgrade(...upgrade))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  t.after(() => hub.close(1_000))
  const { port } = server.address() as AddressInfo
  return { hub, socket: await connectSocket(t, `http://127.0.0.1:${port}`) }
}

test('a change during the look-up of the present state is neither missed nor overtaken', async (t) => {
  let state = 'queued'
  const looks: string[] = []
  const { hub, socket } = await startHub(t, async () => {
    const seen = state
    looks.push(seen)
    if (looks.length === 1) {
      state = 'running' // it changes while the first look is on its way
      await hub.publish('task:1', state)
    }
    return seen
  })

  const answer = await socket.ask({ type: 'subscribe', topic: 'task:1' })
  const present = await socket.next()
  await hub.publish('task:1', 'succeeded')
  const change = await socket.next()

  assert.deepEqual(looks, ['queued', 'running'])
  assert.deepEqual([present.data, change.data], ['running', 'succeeded'])
  assert.deepEqual([answer.offset, change.offset], [1, 2])
})

test('who unsubscribes during the look-up hears nothing of the topic', async (t) => {
  const { opened, open } = latch()
  const { hub, socket } = await startHub(t, () => opened.then(() => 'state'))
  socket.send({ type: 'subscribe', id: 1, topic: 'task:1' })
  socket.send({ type: 'unsubscribe', id: 2, topic: 'task:1' })

  assert.deepEqual(await socket.next(), { type: 'ok', id: 2 })
  open()
  assert.equal((await socket.next()).id, 1)
  await hub.publish('task:1', 'change')
  socket.send({ type: 'ping' })
  assert.deepEqual(await socket.next(), { type: 'pong' })
  assert.equal(hub.isFollowed('task:1'), false)
})

test('who leaves during the look-up leaves nothing behind', async (t) => {
  const { opened, open } = latch()
  const { hub, socket } = await startHub(t, () => opened.then(() => 'state'))
  socket.send({ type: 'subscribe', id: 1, topic: 'task:1' })
  await until(() => hub.isFollowed('task:1'))
  socket.socket.terminate()
  await until(() => hub.size === 0)
  open()
  assert.equal(hub.isFollowed('task:1'), false)
})

test('a look-up that fails closes that one connection', async (t) => {
  const { socket } = await startHub(t, () => Promise.reject(new Error('no database')))
  socket.send({ type: 'subscribe', id: 1, topic: 'task:1' })
  assert.equal(await socket.closed, 1011)
})

test('what is told of all tasks is never older than what was told before', async (t) => {
  const app = await startApp(t)
  const { opened, open } = latch()
  const leaver = await connectSocket(t, app.url)
  await leaver.ask({ type: 'subscribe', topic: 'tasks' })
  const { id } = await app.tasks.add(() => opened)
  leaver.socket.terminate() // with a change waiting to be told
  await until(() => !app.hub.isFollowed('tasks'))
  open()
  await app.tasks.idle()

  const socket = await connectSocket(t, app.url)
  await socket.ask({ type: 'subscribe', topic: 'tasks' })
  const mark = await app.tasks.add(() => 1)
  const states: string[] = []
  for (let isMarked = false; !isMarked; ) {
    const { data } = await socket.next()
    states.push(...data.filter((task: Json) => task.id === id).map((task: Json) => task.state))
    isMarked = data.some((task: Json) => task.id === mark.id && task.state === 'succeeded')
  }
  assert.ok(states.every((state) => state === 'succeeded'))
})

test('a notification reaches all sockets of the user and nobody else', async (t) => {
  const { url } = await startApp(t)
  const [one, two, bob] = await Promise.all(
    ['alice', 'alice', 'bob'].map((user) => connectSocket(t, url, { user })),
  )
  for (const socket of [one!, two!]) await socket.ask({ type: 'subscribe', topic: 'user:alice' })
  await bob!.ask({ type: 'subscribe', topic: 'user:bob' })

  await post(`${url}/notify/alice?user=bob`, { message: 'tea?' })
  for (const socket of [one!, two!]) {
    const { data } = await socket.next()
    assert.deepEqual({ ...data, task: '' }, { message: 'tea?', from: 'bob', task: '' })
  }
  await post(`${url}/notify/bob`)
  assert.equal((await bob!.next()).data.message, 'You have a notification')
})

// — limits —

test('a flood is told once, then closed with 1008, and the rest of it is not heard', async (t) => {
  const { url } = await startApp(t, { MESSAGE_RATE: '1', MESSAGE_BURST: '3' })
  const socket = await connectSocket(t, url)
  for (let i = 0; i < 50; i++) socket.send({ type: 'ping' })

  const types = []
  for (let i = 0; i < 4; i++) types.push((await socket.next()).code ?? 'pong')
  assert.deepEqual(types, ['pong', 'pong', 'pong', 'rate_limited'])
  assert.equal(await socket.closed, 1008)
})

test('what a flood says beyond its bound is not heard by anybody', async (t) => {
  const { url, hub } = await startApp(t, { MESSAGE_RATE: '1', MESSAGE_BURST: '3' })
  const listener = await connectSocket(t, url)
  await listener.ask({ type: 'subscribe', topic: 'room:a' })
  const socket = await connectSocket(t, url)
  for (let n = 0; n < 50; n++) socket.send({ type: 'publish', id: n, topic: 'room:a', data: n })
  await socket.closed
  assert.equal(await hub.publish('room:a', 'after'), 4)
})

test('what comes behind a frame that closed the connection is not heard', async (t) => {
  const { url, hub } = await startApp(t)
  const listener = await connectSocket(t, url)
  await listener.ask({ type: 'subscribe', topic: 'room:a' })
  const socket = await connectSocket(t, url)
  socket.socket.send(Buffer.from([1]))
  socket.send({ type: 'publish', id: 1, topic: 'room:a', data: 'late' })
  assert.equal(await socket.closed, 1003)
  assert.equal(await hub.publish('room:a', 'after'), 1)
})

test('a flood of the echo is closed with 1008', async (t) => {
  const { url } = await startApp(t, { MESSAGE_RATE: '1', MESSAGE_BURST: '3' })
  const socket = await connectSocket(t, url, { protocol: null })
  for (let i = 0; i < 50; i++) socket.send('x')
  assert.equal(await socket.closed, 1008)
})

test('a reader that does not read is closed with 4001, and the others hear everything', async (t) => {
  const { url, hub } = await startApp(t, { MAX_UNSENT: '65536' })
  const [reader, stalled] = await Promise.all([connectSocket(t, url), connectSocket(t, url)])
  for (const socket of [reader, stalled]) await socket.ask({ type: 'subscribe', topic: 'room:a' })

  stalled.socket.pause()
  const text = 'x'.repeat(10_000)
  const total = 2_000 // 20 MB, beyond all that the kernel may hold
  for (let sent = 0; sent < total; sent++) {
    await hub.publish('room:a', text)
    assert.equal((await reader.next()).offset, sent + 1)
  }
  stalled.socket.resume()

  assert.equal(await stalled.closed, 4001)
})

test('a peer that does not answer a heartbeat is gone within two', async (t) => {
  const { url, hub } = await startApp(t, { HEARTBEAT_SECONDS: '0.5' })
  const alive = await connectSocket(t, url)
  const { port } = new URL(url)
  const dead = connect(Number(port), '127.0.0.1')
  t.after(() => dead.destroy())
  dead.write(handshake()) // and never a pong
  dead.resume()
  await once(dead, 'close')
  await until(() => hub.size <= 1)
  alive.send({ type: 'ping' })
  assert.equal((await alive.next()).type, 'pong')
})

test('a socket that leaves takes its subscriptions with it', async (t) => {
  const { url, hub } = await startApp(t)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: 'room:a' })
  assert.equal(hub.isFollowed('room:a'), true)
  socket.socket.terminate()
  await until(() => hub.size <= 0)
  assert.equal(hub.isFollowed('room:a'), false)
})

test('stopping says goodbye, closes with 1001, and cuts off who does not answer', async (t) => {
  const app = await startApp(t)
  const polite = await connectSocket(t, app.url)
  const { port } = new URL(app.url)
  const rude = connect(Number(port), '127.0.0.1')
  rude.resume()
  rude.write(handshake())
  await until(() => app.hub.size === 2)

  const closed = app.close(1_000)
  const { delay, ...goodbye } = await polite.nextOf('goodbye')

  assert.deepEqual(goodbye, { type: 'goodbye', reconnect: true })
  assert.ok(delay >= 0)
  assert.equal(await polite.closed, 1001)
  assert.equal(await closed, true)
  assert.equal(app.hub.size, 0)
})
