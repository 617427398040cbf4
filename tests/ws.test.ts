import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { handshake } from './handshake.ts'
import type { Json } from './helpers.ts'
import { connectSocket, exchange, post, startApp } from './helpers.ts'

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
    while (hub.size > 0) await new Promise(setImmediate)
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
  let finish = () => {}
  const held = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { id } = await app.tasks.add(() => held)
  const socket = await connectSocket(t, app.url)

  const answer = await socket.ask({ type: 'subscribe', topic: `task:${id}` })
  assert.equal(answer.type, 'ok')
  const first = await socket.next()
  assert.equal(first.data.id, id)
  if (first.data.state === 'queued') assert.equal((await socket.next()).data.state, 'running')
  finish()
  assert.equal((await socket.next()).data.state, 'succeeded')
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
  const ids = await Promise.all(
    Array.from({ length: 20 }, async () => (await app.tasks.add(() => 1)).id),
  )
  await app.tasks.idle()
  const { data } = await socket.next()
  assert.deepEqual(
    data.map((task: Json) => [task.id, task.state, task.result]),
    ids.map((id) => [id, 'succeeded', null]),
  )
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
  let sent = 0
  const text = 'x'.repeat(10_000)
  const total = 2_000 // 20 MB, beyond all that the kernel may hold
  for (; sent < total; sent++) {
    await hub.publish('room:a', text)
    assert.equal((await reader.next()).offset, sent + 1)
  }
  stalled.socket.resume()

  assert.equal(await stalled.closed, 4001)
})

test('a peer that does not answer a heartbeat is gone within two', async (t) => {
  const { url, hub } = await startApp(t, { HEARTBEAT_SECONDS: '0.1' })
  const alive = await connectSocket(t, url)
  const { port } = new URL(url)
  const dead = connect(Number(port), '127.0.0.1')
  t.after(() => dead.destroy())
  dead.write(handshake()) // and never a pong
  dead.resume()
  await once(dead, 'close')
  while (hub.size > 1) await new Promise(setImmediate)
  alive.send({ type: 'ping' })
  assert.equal((await alive.next()).type, 'pong')
})

test('a socket that leaves takes its subscriptions with it', async (t) => {
  const { url, hub } = await startApp(t)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: 'room:a' })
  assert.equal(hub.isFollowed('room:a'), true)
  socket.socket.terminate()
  while (hub.size > 0) await new Promise(setImmediate)
  assert.equal(hub.isFollowed('room:a'), false)
})

test('stopping says goodbye, closes with 1001, and cuts off who does not answer', async (t) => {
  const app = await startApp(t)
  const polite = await connectSocket(t, app.url)
  const { port } = new URL(app.url)
  const rude = connect(Number(port), '127.0.0.1')
  rude.resume()
  rude.write(handshake())
  while (app.hub.size < 2) await new Promise(setImmediate)

  const closed = app.close(1_000)
  const { delay, ...goodbye } = await polite.nextOf('goodbye')

  assert.deepEqual(goodbye, { type: 'goodbye', reconnect: true })
  assert.ok(delay >= 0)
  assert.equal(await polite.closed, 1001)
  assert.equal(await closed, true)
  assert.equal(app.hub.size, 0)
})
