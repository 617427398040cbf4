import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { readSettings } from '../lib/config.ts'
import { Origins } from '../lib/origin.ts'
import { Hub } from '../ws.ts'
import { closeOf, connectRaw, meaningOf, talk, textOf, V1 } from './frames.ts'
import { handshake } from './handshake.ts'
import {
  broker,
  connectSocket,
  type Json,
  latch,
  post,
  silent,
  startApp,
  type TestSocket,
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
  test(`F25: a binary frame closes ${protocol ?? 'the echo'} with 1003`, async (t) => {
    const { url } = await startApp(t)
    const socket = await connectSocket(t, url, { protocol })
    socket.socket.send(Buffer.from([1, 2, 3]))
    assert.equal(await socket.closed, 1003)
  })
}

test('what came ahead of a close frame, in the same segment, is answered ahead of the close', async (t) => {
  const { url } = await startApp(t)
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(handshake())
  await once(socket, 'data')
  const hi = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
  socket.end(Buffer.concat([hi, hi, Buffer.from([0x88, 0x80, 0, 0, 0, 0])]))

  const chunks = await socket.toArray()

  const echo = '\x81\x0cYou said: hi'
  assert.equal(Buffer.concat(chunks).toString('latin1'), `${echo}${echo}\x88\x00`)
})

// — frames: see faults/frames.test.ts —

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
  for (const socket of [alice, bob]) {
    const { at, ...message } = await socket.nextOf('message')
    assert.deepEqual(message, {
      type: 'message',
      topic: 'room:tea',
      offset: 1,
      from: 'alice',
      data: { a: 1 },
    })
    assert.match(at, /Z$/)
  }
  assert.deepEqual(
    { ...joined, epoch: '' },
    {
      type: 'ok',
      id: 1,
      topic: 'room:tea',
      epoch: '',
      offset: 0,
      recovered: false,
      members: ['alice'],
      count: 1,
      messages: [],
    },
  )
})

test('subscribing twice is one delivery, and after unsubscribing nothing comes', async (t) => {
  const { url, hub } = await startApp(t)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: 'room:a' })
  await socket.ask({ type: 'subscribe', topic: 'room:a' })

  await hub.publish('room:a', 'one')
  await hub.publish('room:a', 'two')
  assert.equal((await socket.nextOf('message')).data, 'one')
  assert.equal((await socket.nextOf('message')).data, 'two')

  await hub.publish('room:a', 'on its way')
  assert.deepEqual(await socket.ask({ type: 'unsubscribe', id: 5, topic: 'room:a' }), {
    type: 'ok',
    id: 5,
  })
  await hub.publish('room:a', 'three')
  socket.send({ type: 'ping' })
  assert.equal((await socket.next()).type, 'pong')
})

test('a room stays when everybody has left it, a topic of another kind does not', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url, { user: 'alice' })
  const visit = async (topic: string) => {
    const { epoch } = await socket.ask({ type: 'subscribe', topic })
    await socket.ask({ type: 'unsubscribe', topic })
    return epoch
  }

  assert.equal(await visit('room:a'), await visit('room:a'))
  assert.notEqual(await visit('user:alice'), await visit('user:alice'))
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
  alice.socket.terminate() // room:b is left, and gives its place
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

test('W8: the topic of a finished task tells its end at once', async (t) => {
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
    maxConnectionsPerUser: settings.maxConnections,
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

test('who unsubscribes in the same breath gets an answer with nothing of the topic in it', async (t) => {
  const { url, hub } = await startApp(t)
  await hub.publish('room:a', 'one')
  const socket = await connectSocket(t, url)

  socket.send({ type: 'subscribe', id: 1, topic: 'room:a' })
  socket.send({ type: 'unsubscribe', id: 2, topic: 'room:a' })

  assert.deepEqual(await socket.next(), { type: 'ok', id: 2 })
  const { epoch, ...answer } = await socket.next()
  assert.equal(typeof epoch, 'string')
  const offset = broker() === 'redis' ? 0 : 1 // there, it did not wait for the room
  const nothing = { offset, recovered: false, messages: [] }
  assert.deepEqual(answer, { type: 'ok', id: 1, topic: 'room:a', ...nothing })
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

// — coming back —

const TOTAL = 5 // messages, of which the room keeps three
const positions: [what: string, since: object, recovered: boolean, offsets: number[]][] = [
  ['the newest offset', { offset: TOTAL }, true, []],
  ['one that is kept', { offset: 3 }, true, [4, 5]],
  ['the one before those that are kept', { offset: 2 }, true, [3, 4, 5]],
  ['one older than the history', { offset: 1 }, false, [3, 4, 5]],
  ['an offset ahead', { offset: 6 }, false, [3, 4, 5]],
  ['a negative offset', { offset: -1 }, false, [3, 4, 5]],
  ['another epoch', { offset: 5, epoch: 'another' }, false, [3, 4, 5]],
]

for (const [what, position, recovered, offsets] of positions) {
  test(`W12: who comes back with ${what} ${recovered ? 'gets what it missed' : 'is told that something may be missing'}`, async (t) => {
    const { url, hub } = await startApp(t, { HISTORY: '3' })
    const first = await connectSocket(t, url)
    const { epoch } = await first.ask({ type: 'subscribe', topic: 'room:a' })
    for (let data = 1; data <= TOTAL; data++) await hub.publish('room:a', data)
    first.socket.terminate()

    const second = await connectSocket(t, url)
    const since = { epoch, ...position }
    const answer = await second.ask({ type: 'subscribe', topic: 'room:a', since })

    assert.deepEqual([answer.epoch, answer.offset, answer.recovered], [epoch, TOTAL, recovered])
    assert.deepEqual(
      answer.messages.map(({ type, topic, offset, data }: Json) => [type, topic, offset, data]),
      offsets.map((offset) => ['message', 'room:a', offset, offset]),
    )
  })
}

test('with HISTORY=0 nothing is kept, and who missed something is told so', async (t) => {
  const { url, hub } = await startApp(t, { HISTORY: '0' })
  const socket = await connectSocket(t, url)
  await hub.publish('room:a', 1)
  const { epoch, messages } = await socket.ask({ type: 'subscribe', topic: 'room:a' })
  const back = async (offset: number) => {
    const another = await connectSocket(t, url)
    return another.ask({ type: 'subscribe', topic: 'room:a', since: { epoch, offset } })
  }

  assert.deepEqual(messages, [])
  assert.equal((await back(1)).recovered, true)
  const { recovered, messages: none } = await back(0)
  assert.deepEqual([recovered, none], [false, []])
})

test('many who join while a room talks miss nothing and hear nothing twice', async (t) => {
  const { url, hub } = await startApp(t, { HISTORY: '1000', MAX_CONNECTIONS_PER_ADDRESS: '1000' })
  const sockets = await Promise.all(Array.from({ length: 200 }, () => connectSocket(t, url)))
  const total = 300
  let isTalking = true
  const talk = async () => {
    for (let data = 1; data <= total; data++) {
      await hub.publish('room:a', data)
      if (data % 3 === 0) await turn()
    }
    isTalking = false
  }
  const listen = async (socket: TestSocket, n: number) => {
    for (let turns = 0; turns < n && isTalking; turns++) await turn()
    const answer = await socket.ask({ type: 'subscribe', topic: 'room:a' })
    const heard: number[] = answer.messages.map(({ offset }: Json) => offset)
    assert.deepEqual([heard.length, heard.at(-1) ?? 0], [answer.offset, answer.offset])
    while (heard.length < total) heard.push((await socket.nextOf('message')).offset)
    return heard
  }

  const [, ...heard] = await Promise.all([talk(), ...sockets.map(listen)])

  const all = Array.from({ length: total }, (_, i) => i + 1)
  for (const offsets of heard) assert.deepEqual(offsets, all)
})

test('many who come back while a fan-out is under way get the rest of it once', async (t) => {
  const { url, hub } = await startApp(t, { MAX_CONNECTIONS_PER_ADDRESS: '1000' })
  const sockets = await Promise.all(Array.from({ length: 100 }, () => connectSocket(t, url)))
  for (const socket of sockets) await socket.ask({ type: 'subscribe', topic: 'room:a' })

  // Each asks again in the middle, from where it is: what is on its way comes ahead of the answer.
  const listen = async (socket: TestSocket) => {
    const live: number[] = []
    let isAnswered = false
    socket.send({ type: 'subscribe', id: 2, topic: 'room:a' })
    while (!isAnswered || live.at(-1) !== 40) {
      const frame = await socket.nextOf('ok', 'message')
      if (frame.type === 'message') {
        live.push(frame.offset)
        continue
      }
      isAnswered = true
      assert.equal(live.at(-1) ?? 0, frame.offset)
      assert.equal(frame.messages.length, frame.offset)
    }
    return live
  }
  const talk = async () => {
    for (let data = 1; data <= 40; data++) {
      await hub.publish('room:a', data)
      if (data % 3 === 0) await turn()
    }
  }
  const [, ...heard] = await Promise.all([talk(), ...sockets.map(listen)])

  const all = Array.from({ length: 40 }, (_, i) => i + 1)
  for (const offsets of heard) assert.deepEqual(offsets, all)
})

test('W11: a message that is sent again, on another connection, is there once', async (t) => {
  const { url, hub } = await startApp(t)
  const listener = await connectSocket(t, url)
  await listener.ask({ type: 'subscribe', topic: 'room:a' })
  const [one, two, bob] = await Promise.all(
    ['alice', 'alice', 'bob'].map((user) => connectSocket(t, url, { user })),
  )
  const message = { type: 'publish', topic: 'room:a', data: 'tea?', key: 'k' }
  await hub.publish('room:a', 'before')

  const first = await one!.ask(message)
  one!.socket.terminate()
  const second = await two!.ask(message)
  const other = await bob!.ask(message) // another user's key is another key

  assert.deepEqual([first.offset, second.offset, other.offset], [2, 2, 3])
  const heard = []
  for (let n = 0; n < 3; n++) heard.push((await listener.nextOf('message')).from)
  assert.deepEqual(heard, [undefined, 'alice', 'bob'])
})

test('a transient message reaches who is there, has no offset, and is not kept', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = await Promise.all(
    ['alice', 'bob'].map((user) => connectSocket(t, url, { user })),
  )
  await bob!.ask({ type: 'subscribe', topic: 'room:a' })
  const transient = { type: 'publish', topic: 'room:a', data: { x: 1 }, transient: true }

  assert.deepEqual(await alice!.ask(transient), { type: 'ok', id: 1 })

  const { at, ...message } = await bob!.nextOf('message')
  assert.deepEqual(message, { type: 'message', topic: 'room:a', from: 'alice', data: { x: 1 } })
  const late = await alice!.ask({ type: 'subscribe', topic: 'room:a' })
  assert.deepEqual([late.offset, late.messages], [0, []])
})

test('what is larger than 64 KiB when it is written out is too big', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url)
  const numbers = `[${'1e20,'.repeat(12_000)}1]` // 60 KB, and 250 KB with all their digits

  socket.send(`{"type":"publish","id":1,"topic":"room:a","data":${numbers}}`)
  const { type, code, id } = await socket.next()

  assert.deepEqual([type, code, id], ['error', 'too_big', 1])
  assert.equal((await socket.ask({ type: 'publish', topic: 'room:a', data: 1 })).offset, 1)
})

// — presence —

/** A user's socket that is in the room, and its answer. */
async function enter(t: TestContext, url: string, user: string) {
  const socket = await connectSocket(t, url, { user })
  const answer = await socket.ask({ type: 'subscribe', topic: 'room:a' })
  return { socket, answer }
}

test('a room tells who is there, who comes, and who goes', async (t) => {
  const { url } = await startApp(t)
  const { socket: alice } = await enter(t, url, 'alice')
  const { socket: bob, answer } = await enter(t, url, 'bob')
  assert.deepEqual([answer.members, answer.count], [['alice', 'bob'], 2])
  const { joined } = await alice.nextOf('presence')
  assert.ok(joined.includes('bob'))

  await bob.ask({ type: 'unsubscribe', topic: 'room:a' })
  const gone = await alice.nextOf('presence')

  assert.deepEqual(gone, { type: 'presence', topic: 'room:a', joined: [], left: ['bob'], count: 1 })
})

test('a user with two tabs is there once, until the last is closed', async (t) => {
  const { url } = await startApp(t)
  const { socket: alice } = await enter(t, url, 'alice')
  const { socket: one } = await enter(t, url, 'bob')
  const { socket: two, answer } = await enter(t, url, 'bob')
  assert.deepEqual([answer.members, answer.count], [['alice', 'bob'], 2])
  await alice.nextOf('presence')

  one.socket.close()
  await one.closed
  await enter(t, url, 'carol')
  const { joined, left } = await alice.nextOf('presence')
  two.socket.close()
  const gone = await alice.nextOf('presence')

  assert.deepEqual([joined, left], [['carol'], []])
  assert.deepEqual([gone.joined, gone.left, gone.count], [[], ['bob'], 2])
})

test('a socket that is cut leaves its rooms', async (t) => {
  const { url } = await startApp(t)
  const { socket: alice } = await enter(t, url, 'alice')
  const { socket: bob } = await enter(t, url, 'bob')
  await alice.nextOf('presence')

  bob.socket.terminate()

  assert.deepEqual((await alice.nextOf('presence')).left, ['bob'])
})

test('who has it in the answer is not told again', async (t) => {
  const { url } = await startApp(t)
  const { socket: alice } = await enter(t, url, 'alice')
  const { socket: bob } = await enter(t, url, 'bob')
  await alice.nextOf('presence')

  alice.socket.terminate()
  const first = await bob.next()

  assert.deepEqual([first.joined, first.left], [[], ['alice']])
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

test('W17: what comes behind a frame that closed the connection is not heard', async (t) => {
  const { url, hub } = await startApp(t)
  const listener = await connectSocket(t, url)
  await listener.ask({ type: 'subscribe', topic: 'room:a' })
  const socket = await connectSocket(t, url)
  socket.socket.send(Buffer.from([1]))
  socket.send({ type: 'publish', id: 1, topic: 'room:a', data: 'late' })
  assert.equal(await socket.closed, 1003)
  assert.equal(await hub.publish('room:a', 'after'), 1)
})

test('W9: of a thousand messages in one segment the surplus is told once, then it is closed', async (t) => {
  const { url, hub } = await startApp(t)
  const publish = (n: number) => textOf({ type: 'publish', id: n, topic: 'room:a', data: n })
  const flood = Array.from({ length: 1_000 }, (_, n) => publish(n))

  const frames = await talk(url, Buffer.concat([...flood, closeOf()]), V1)

  assert.equal(meaningOf(frames.pop()!), 1008)
  const answers = frames.map(({ payload }) => JSON.parse(String(payload)))
  const error = answers.pop()
  assert.deepEqual([error.type, error.code], ['error', 'rate_limited'])
  assert.ok(answers.every(({ type }) => type === 'ok'))
  assert.ok(answers.length < 1_000)
  // What goes to other servers is answered when they have it, and by then it is closed.
  if (broker()) return
  assert.ok(answers.length >= 40)
  assert.equal(await hub.publish('room:a', 'after'), answers.length + 1)
})

test('a flood of the protocol’s own pings is closed with 1008', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url)
  for (let n = 0; n < 100; n++) socket.socket.ping()
  assert.equal((await socket.nextOf('error')).code, 'rate_limited')
  assert.equal(await socket.closed, 1008)
})

test('F7: a flood of pongs that nobody asked for is closed with 1008', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url)
  for (let n = 0; n < 100; n++) socket.socket.pong()
  assert.equal(await socket.closed, 1008)
})

test('W10: who talks exactly at the rate is never cut', async (t) => {
  const { url } = await startApp(t, { MESSAGE_RATE: '200', MESSAGE_BURST: '3' })
  const socket = await connectSocket(t, url)
  // Never more than the time that has gone by allows: late timers are not made up for.
  for (let n = 0; n < 300; n++) {
    const next = performance.now() + 5
    assert.equal((await socket.ask({ type: 'publish', topic: 'room:a', data: n })).offset, n + 1)
    await until(() => performance.now() >= next)
  }
  assert.equal(socket.socket.readyState, WebSocket.OPEN)
})

test('who answers the server’s own pings is not cut for it', async (t) => {
  const { url } = await startApp(t, {
    MESSAGE_RATE: '1',
    MESSAGE_BURST: '2',
    HEARTBEAT_SECONDS: '0.5', // both ends are in this process: a pause of it counts for both
  })
  const socket = await connectSocket(t, url)
  const pinged = (async () => {
    for (let n = 0; n < 8; n++) await once(socket.socket, 'ping')
    return 'pinged'
  })()
  assert.equal(await Promise.race([pinged, socket.closed]), 'pinged')
})

test('a flood of the echo is closed with 1008', async (t) => {
  const { url } = await startApp(t, { MESSAGE_RATE: '1', MESSAGE_BURST: '3' })
  const socket = await connectSocket(t, url, { protocol: null })
  for (let i = 0; i < 50; i++) socket.send('x')
  assert.equal(await socket.closed, 1008)
})

test('S10: a peer that does not answer a heartbeat is gone within two, from its room, too', async (t) => {
  const { url, hub } = await startApp(t, { HEARTBEAT_SECONDS: '0.5' })
  const alive = await connectSocket(t, url, { user: 'alice' })
  await alive.ask({ type: 'subscribe', topic: 'room:a' })
  const dead = await connectRaw(t, url, { query: '?user=bob' })
  dead.write(textOf({ type: 'subscribe', id: 1, topic: 'room:a' })) // and never a pong
  const presence = (user: string) => async () => {
    const { joined, left } = await alive.nextOf('presence')
    return [...joined, ...left].includes(user)
  }
  await until(presence('bob'))

  const { left, count } = await alive.nextOf('presence')

  assert.deepEqual([left, count], [['bob'], 1])
  await until(() => hub.size === 1)
  alive.send({ type: 'ping' })
  assert.equal((await alive.next()).type, 'pong')
})

test('a socket that leaves takes its subscriptions with it', async (t) => {
  const { url, hub } = await startApp(t)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: 'room:a' })
  assert.equal(hub.isFollowed('room:a'), true)
  socket.socket.terminate()
  await until(() => hub.size === 0)
  assert.equal(hub.isFollowed('room:a'), false)
})

test('X4: stopping says goodbye, closes with 1001, and cuts off who does not answer', async (t) => {
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
