// What a client may say in `meanwhile.v1` that is wrong, too much, too late, or somebody else's. Single
// messages that are none are in protocol.test.ts.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { processing, request, TYPE } from '../exchanges.ts'
import { connectRaw, framesOf, meaningOf, OPCODE, talk, textOf, V1 } from '../frames.ts'
import { connectSocket, type Json, latch, until } from '../helpers.ts'
import { as, inSeconds, SECRET, tokenOf } from '../tokens.ts'
import { type Case, checkExchange } from './exchanges.ts'
import { faultTest } from './fault.ts'

const GUARDED = { AUTH_SECRET: SECRET }
const UNPACED = { MESSAGE_RATE: '1000000', MESSAGE_BURST: '1000000', MAX_UNSENT: '16777216' }

const repeat = (count: number, frame: Buffer) => Array.from({ length: count }, () => frame)

faultTest('W1: what is no message counts as one: 40 errors, then 1008', async ({ url }) => {
  const bad = ['{', 'null', '[]', '1', ''].map(textOf)
  const frames = await talk(url, Buffer.concat(repeat(100, Buffer.concat(bad))), V1)

  assert.equal(meaningOf(frames.pop()!), 1008)
  const codes = frames.map(({ payload }) => JSON.parse(String(payload)).code)
  assert.equal(codes.pop(), 'rate_limited')
  assert.ok(codes.length >= 40 && codes.length < 500)
  assert.deepEqual(new Set(codes), new Set(['bad_message']))
})

const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']

faultTest('W3: a room, a user and a key of that name are like any other', async (fault) => {
  const { url, scope } = fault
  const watcher = await connectSocket(scope, url)
  for (const name of names) {
    const topic = `room:${name}`
    await watcher.ask({ type: 'subscribe', topic })
    const socket = await connectSocket(scope, url, { user: name })
    const { members, count } = await socket.ask({ type: 'subscribe', topic })
    assert.deepEqual([members.includes(name), count], [true, 2])
    const data = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    )
    for (let n = 0; n < 2; n++) {
      const answer = await socket.ask({ type: 'publish', topic, data, key: name })
      assert.equal(answer.offset, 1)
    }
    const heard = await watcher.nextOf('message')
    assert.deepEqual([heard.from, heard.data], [name, data])
    assert.equal((await socket.ask({ type: 'subscribe', topic: `task:${name}` })).code, 'not_found')
  }
  assert.equal(({} as Json).polluted, undefined)
})

const texts: [what: string, text: string][] = [
  ['10 KB', 'x'.repeat(10_000)],
  ['only spaces', ' '.repeat(1_000)],
  ['nothing', ''],
  ['5,000 combining marks', `a${'\u0301'.repeat(5_000)}`],
  ['ANSI escapes', '\u001b[2J\u001b[31mred'],
  ['markup', '<img src=x onerror=alert(1)>'],
  ['from right to left', '\u202etxt.exe'],
  ['half a surrogate pair', '\ud800'],
  ['NUL, CR, LF and U+2028', '\u0000\r\n\u2028'],
]

for (const [what, data] of texts) {
  faultTest(`W4: ${what}: heard as it was said`, async ({ url, scope }) => {
    const [alice, bob] = [await connectSocket(scope, url), await connectSocket(scope, url)]
    await bob.ask({ type: 'subscribe', topic: 'room:a' })

    assert.equal((await alice.ask({ type: 'publish', topic: 'room:a', data })).offset, 1)

    assert.equal((await bob.nextOf('message')).data, data)
  })
}

faultTest(
  'W6: of 10,000 rooms at once 50 are entered, the rest too_many_topics',
  async ({ url, scope }) => {
    const socket = await connectSocket(scope, url)
    for (let n = 0; n < 10_000; n++) socket.send({ type: 'subscribe', id: n, topic: `room:${n}` })

    const answers = []
    while (answers.length < 10_000) answers.push(await socket.nextOf('ok', 'error'))

    const codes = answers.toSorted((a, b) => a.id - b.id).map(({ code = 'ok' }) => code)
    assert.deepEqual(new Set(codes.slice(0, 50)), new Set(['ok']))
    assert.deepEqual(new Set(codes.slice(50)), new Set(['too_many_topics']))
  },
  { env: UNPACED },
)

faultTest(
  'W7: who subscribes to one task 1,000 times hears of its end once',
  async ({ url, tasks, scope }) => {
    const { opened, open } = latch()
    const { id } = await tasks.add(() => opened)
    const socket = await connectSocket(scope, url)
    for (let n = 0; n < 1_000; n++) socket.send({ type: 'subscribe', id: n, topic: `task:${id}` })
    for (let n = 0; n < 1_000; n++) assert.equal((await socket.nextOf('ok', 'error')).type, 'ok')
    while (
      (await socket.ask({ type: 'subscribe', id: 'last', topic: `task:${id}` })).id !== 'last'
    );
    assert.equal((await socket.next()).data.state, 'running') // the present state, of the last one

    open()
    await tasks.idle()
    socket.send({ type: 'ping' })

    const { data, offset } = await socket.next()
    assert.deepEqual([data.state, offset], ['succeeded', 1])
    assert.equal((await socket.next()).type, 'pong')
  },
  { env: UNPACED },
)

faultTest('W9: who floods on after the close is not listened to', async (fault) => {
  const { url, hub, scope, logged } = fault
  const socket = await connectRaw(scope, url)
  let came = Buffer.alloc(0)
  socket.on('data', (bytes: Buffer) => {
    came = Buffer.concat([came, bytes])
    // It would be an error, if anybody heard it.
    if (framesOf(came).some(({ opcode }) => opcode === OPCODE.close)) socket.write('no frame')
  })

  socket.write(Buffer.concat(repeat(1_000, textOf({ type: 'ping' }))))
  await once(socket, 'end') // the server's, which waits for no close of the client

  assert.equal(meaningOf(framesOf(came).at(-1)!), 1008)
  await until(() => hub.size === 0)
  const { code, error } = logged.find(({ message }) => message === 'client disconnected')
  assert.deepEqual([code, error], [1008, undefined])
})

faultTest(
  'W13: the place of another user in a topic is none of one’s own',
  async ({ url, tasks, scope }) => {
    await tasks.add(() => 1, undefined, { owner: 'alice' })
    await tasks.idle()
    const [alice, bob] = [
      await connectSocket(scope, url, { headers: as('alice') }),
      await connectSocket(scope, url, { headers: as('bob') }),
    ]
    for (const topic of ['tasks', 'user:alice']) {
      const { epoch, offset } = await alice.ask({ type: 'subscribe', topic })
      const since = { epoch, offset }
      const answer = await bob.ask({ type: 'subscribe', topic, since })
      if (topic === 'user:alice') {
        assert.equal(answer.code, 'forbidden')
        continue
      }
      assert.deepEqual([answer.recovered, answer.messages], [false, []])
      assert.notEqual(answer.epoch, epoch)
      assert.deepEqual((await bob.next()).data, [])
    }
  },
  { env: GUARDED },
)

faultTest(
  'W14: a sender that leaves in the middle: the others get all of it once',
  async (fault) => {
    const { url, hub, scope } = fault
    const others = await Promise.all(Array.from({ length: 20 }, () => connectSocket(scope, url)))
    for (const socket of others) await socket.ask({ type: 'subscribe', topic: 'room:a' })
    const sender = await connectRaw(scope, url)
    const publish = (n: number) => ({ type: 'publish', id: n, topic: 'room:a', data: n })

    sender.write(textOf({ type: 'subscribe', id: 1, topic: 'room:a' }))
    sender.write(Buffer.concat(Array.from({ length: 30 }, (_, n) => textOf(publish(n)))))
    sender.destroy()

    await until(() => hub.size === others.length)
    const last = await hub.publish('room:a', 'last')
    const all = Array.from({ length: last }, (_, i) => i + 1)
    for (const socket of others) {
      const heard: number[] = []
      while (heard.at(-1) !== last) heard.push((await socket.nextOf('message')).offset)
      assert.deepEqual(heard, all)
    }
  },
)

faultTest(
  'W17: what comes when the token has expired is not heard, and closes with 4101',
  async ({ url, hub, scope }) => {
    const exp = inSeconds(2)
    const socket = await connectSocket(scope, url, { query: `token=${tokenOf('alice', { exp })}` })
    await until(() => Date.now() / 1_000 >= exp)

    socket.send({ type: 'publish', id: 1, topic: 'room:a', data: 'late' })

    assert.equal(await socket.closed, 4101)
    assert.equal(await hub.publish('room:a', 'first'), 1)
  },
  { env: GUARDED },
)

const notifying = (body: string) =>
  processing(body, TYPE).replace('POST /process', 'POST /notify/alice')

const notifications: Case[] = [
  [
    'W18: a notification of 1 MB',
    `${request('POST /notify/alice HTTP/1.1', 'Content-Length: 1048576', TYPE)}{"message":"`,
    413,
  ],
  ['W18: one over 60,000 bytes', notifying(`{"message":"${'x'.repeat(60_001)}"}`), 413],
  ['W18: one that grows over it', notifying(`{"message":"${'\u007f\\u0000'.repeat(9_000)}"}`), 413],
  ['W18: one of 60,000 bytes', notifying(`{"message":"${'x'.repeat(60_000)}"}`), 202],
]

for (const [what, bytes, status] of notifications) {
  faultTest(`${what}: ${status}`, async (fault) => {
    const { url, scope, tasks } = fault
    const alice = await connectSocket(scope, url, { user: 'alice' })
    await alice.ask({ type: 'subscribe', topic: 'user:alice' })

    await checkExchange(fault, bytes, status)
    await tasks.idle()
    if (status !== 202) alice.send({ type: 'ping' })

    assert.equal((await alice.next()).type, status === 202 ? 'message' : 'pong')
  })
}
