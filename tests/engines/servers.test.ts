// What holds over several servers, by the broker that is between them.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { cp, symlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { CLOSE } from '../../lib/protocol.ts'
import {
  connectSocket,
  type Json,
  spawnProgram,
  spawnServer,
  startApp,
  type TestSocket,
  temporaryFolder,
} from '../helpers.ts'
import { startRabbitMq, startRedis } from './brokers.ts'

const brokers = { redis: await startRedis({ after }), amqp: await startRabbitMq({ after }) }
type Name = keyof typeof brokers
let databases = 0

/** Settings of servers that belong together. */
function envOf(name: Name): NodeJS.ProcessEnv {
  const { url } = brokers[name]
  return { BUS_URL: name === 'redis' ? `${url}/${databases++}` : url }
}

async function startTwo(t: TestContext, name: Name, env: NodeJS.ProcessEnv = {}) {
  const all = { ...envOf(name), ...env }
  return [await startApp(t, all), await startApp(t, all)] as const
}

async function enter(t: TestContext, url: string, user: string, room: string, since?: unknown) {
  const socket = await connectSocket(t, url, { user })
  const answer = await socket.ask({ type: 'subscribe', topic: room, since })
  return { socket, answer }
}

const newRoom = () => `room:${randomUUID()}`

async function dataOf(socket: TestSocket, count: number): Promise<unknown[]> {
  const data = []
  while (data.length < count) data.push((await socket.nextOf('message')).data)
  return data
}

for (const name of ['redis', 'amqp'] as const) {
  test(`R9: ${name}: what is said on two servers reaches the clients of both, each message once`, async (t) => {
    const [a, b] = await startTwo(t, name)
    const room = newRoom()
    const { socket: alice } = await enter(t, a.url, 'alice', room)
    const { socket: bob } = await enter(t, b.url, 'bob', room)

    const said = Array.from({ length: 40 }, (_, n) => n)
    await Promise.all(
      said.map((n) => (n % 2 === 0 ? a : b).hub.publish(room, n)), // at the same time
    )
    await a.hub.publish(room, 'end')
    await b.hub.publish(room, 'end')

    const [first, second] = [await dataOf(alice, 42), await dataOf(bob, 42)]
    for (const data of [first, second]) {
      assert.deepEqual(
        data.filter((one) => one !== 'end').toSorted((x, y) => Number(x) - Number(y)),
        said,
      )
      assert.deepEqual(
        data.filter((one) => typeof one === 'number' && one % 2 === 0),
        said.filter((n) => n % 2 === 0), // of one server in its order
      )
    }
    if (name === 'redis') assert.deepEqual(first, second)
  })

  test(`${name}: a notification reaches the user on every server, and nobody else`, async (t) => {
    const [a, b] = await startTwo(t, name)
    const user = `user-${randomUUID()}`
    const there = await enter(t, b.url, user, `user:${user}`)
    const here = await enter(t, a.url, user, `user:${user}`)
    const other = await connectSocket(t, b.url, { user: 'other' })

    await a.hub.publish(`user:${user}`, 'news')

    assert.equal((await here.socket.nextOf('message')).data, 'news')
    assert.equal((await there.socket.nextOf('message')).data, 'news')
    other.send({ type: 'ping' })
    assert.deepEqual(await other.next(), { type: 'pong' })
  })

  test(`${name}: a transient message reaches other servers, without an offset`, async (t) => {
    const [a, b] = await startTwo(t, name)
    const room = newRoom()
    const { socket: bob } = await enter(t, b.url, 'bob', room)
    const alice = await connectSocket(t, a.url, { user: 'alice' })

    const answer = await alice.ask({ type: 'publish', topic: room, data: 1, transient: true })

    assert.equal(answer.type, 'ok')
    assert.equal(answer.offset, undefined)
    const { at, ...message } = await bob.nextOf('message')
    assert.deepEqual(message, { type: 'message', topic: room, from: 'alice', data: 1 })
  })

  test(`R5: ${name}: a message that is sent again on another server is there once`, async (t) => {
    const [a, b] = await startTwo(t, name)
    const room = newRoom()
    const watcher = await enter(t, b.url, 'bob', room)
    const message = { type: 'publish', topic: room, data: 'once', key: 'k' }
    const here = await connectSocket(t, a.url, { user: 'alice' })
    const there = await connectSocket(t, b.url, { user: 'alice' })

    const answers = await Promise.all([here.ask(message), there.ask(message)])
    const again = await there.ask(message)
    await b.hub.publish(room, 'end')

    assert.deepEqual(
      [...answers, again].map(({ offset }) => offset),
      [1, 1, 1],
    )
    assert.deepEqual(await dataOf(watcher.socket, 2), ['once', 'end'])
  })

  test(`${name}: the figures and the tasks of a server stay its own`, async (t) => {
    const [a, b] = await startTwo(t, name)
    const { socket } = await enter(t, b.url, 'bob', 'tasks')
    await fetch(`${a.url}/notify/somebody`, { method: 'POST' })
    await a.tasks.idle()
    socket.send({ type: 'ping' })
    assert.equal((await socket.nextOf('message', 'pong')).data?.length ?? 0, 0)
  })

  test(`${name}: what is too big is refused before it goes anywhere`, async (t) => {
    const [a] = await startTwo(t, name)
    await assert.rejects(a.hub.publish(newRoom(), 'x'.repeat(70_000)), { code: 'too_big' })
  })
}

test('redis: who has lost its server resumes on another, and has missed nothing', async (t) => {
  const env = envOf('redis')
  const killed = await spawnServer(t, { ...env, LOG_LEVEL: 'info' })
  const other = await startApp(t, env)
  const room = newRoom()
  const { socket, answer } = await enter(t, killed.url, 'alice', room)
  await other.hub.publish(room, 'one')
  const { offset } = await socket.nextOf('message')

  killed.child.kill('SIGKILL')
  await killed.exited
  await other.hub.publish(room, 'two')
  const back = await enter(t, other.url, 'alice', room, { epoch: answer.epoch, offset })

  assert.equal(back.answer.recovered, true)
  assert.deepEqual(
    back.answer.messages.map(({ data }: Json) => data),
    ['two'],
  )
})

test('redis: who is ahead of its new server is not told that something is missing', async (t) => {
  const [a, b] = await startTwo(t, 'redis')
  const room = newRoom()
  const { answer } = await enter(t, a.url, 'alice', room)
  await enter(t, b.url, 'bob', room) // so that the other server has the room already
  for (let n = 1; n <= 50; n++) {
    const offset = await a.hub.publish(room, n)
    const back = await enter(t, b.url, 'alice', room, { epoch: answer.epoch, offset })
    assert.equal(back.answer.recovered, true)
    back.socket.socket.terminate()
  }
})

test('amqp: who comes back on another server is told that it can’t know, and gets its newest', async (t) => {
  const [a, b] = await startTwo(t, 'amqp')
  const room = newRoom()
  const { socket, answer } = await enter(t, a.url, 'alice', room)
  const bob = await enter(t, b.url, 'bob', room)
  await a.hub.publish(room, 'one')
  const { offset } = await socket.nextOf('message')
  await bob.socket.nextOf('message') // so that the other server has it, too

  const back = await enter(t, b.url, 'alice', room, { epoch: answer.epoch, offset })

  assert.equal(back.answer.recovered, false)
  assert.deepEqual(
    back.answer.messages.map(({ data }: Json) => data),
    ['one'],
  )
})

test('redis: presence is that of all servers, and a user on two of them is there once', async (t) => {
  const [a, b] = await startTwo(t, 'redis')
  const room = newRoom()
  const alice = await enter(t, a.url, 'alice', room)
  const bob = await enter(t, b.url, 'bob', room)
  const alsoBob = await enter(t, a.url, 'bob', room)

  assert.deepEqual(bob.answer.members.toSorted(), ['alice', 'bob'])
  assert.equal(alsoBob.answer.count, 2)

  bob.socket.socket.close()
  await bob.socket.closed
  alsoBob.socket.socket.close()
  const { left, count } = await nextLeaving(alice.socket)
  assert.deepEqual([left, count], [['bob'], 1])
})

async function nextLeaving(socket: TestSocket): Promise<Json> {
  for (;;) {
    const change = await socket.nextOf('presence')
    if (change.left.length > 0) return change
  }
}

test('redis: the users of a server that was killed leave their rooms', async (t) => {
  const env = envOf('redis')
  const killed = await spawnServer(t, { ...env, LOG_LEVEL: 'info' })
  const other = await startApp(t, env)
  const room = newRoom()
  await enter(t, killed.url, 'bob', room)
  const { socket, answer } = await enter(t, other.url, 'alice', room)
  assert.deepEqual(answer.members.toSorted(), ['alice', 'bob'])

  killed.child.kill('SIGKILL')

  assert.deepEqual((await nextLeaving(socket)).left, ['bob'])
  const { members } = await socket.ask({ type: 'subscribe', topic: room })
  assert.deepEqual(members, ['alice'])
})

test('redis: rooms have a bound over all servers, those that are followed stay', async (t) => {
  const [a, b] = await startTwo(t, 'redis', { MAX_ROOMS: '3' })
  const { socket, answer } = await enter(t, a.url, 'alice', 'room:followed')
  await b.hub.publish('room:left', 'first')
  await b.hub.publish('room:newer', 'first')
  await b.hub.publish('room:newest', 'first') // in the place of the one that was left
  assert.equal(await b.hub.publish('room:left', 'again'), 1)

  const again = await socket.ask({ type: 'subscribe', topic: 'room:followed' })
  assert.equal(again.epoch, answer.epoch)
  for (const room of ['room:left', 'room:newest']) await enter(t, b.url, 'bob', room)
  const { code } = await (await connectSocket(t, b.url)).ask({
    type: 'subscribe',
    topic: 'room:more',
  })
  assert.equal(code, 'too_many_rooms')
})

test('redis: a room keeps HISTORY messages and 256 KiB', async (t) => {
  const [a, b] = await startTwo(t, 'redis', { HISTORY: '3' })
  for (const n of [1, 2, 3, 4]) await a.hub.publish('room:a', n)
  const { answer } = await enter(t, b.url, 'bob', 'room:a')
  assert.deepEqual(
    answer.messages.map(({ data }: Json) => data),
    [2, 3, 4],
  )

  const [c, d] = await startTwo(t, 'redis')
  for (const n of [1, 2, 3, 4, 5, 6]) await c.hub.publish('room:a', String(n).repeat(60_000))
  const { answer: full } = await enter(t, d.url, 'bob', 'room:a')
  assert.deepEqual(
    full.messages.map(({ data }: Json) => data[0]),
    ['3', '4', '5', '6'],
  )
})

test('redis: a server that stops leaves no users behind', async (t) => {
  const [a, b] = await startTwo(t, 'redis')
  await enter(t, a.url, 'alice', 'room:a')
  const { socket } = await enter(t, b.url, 'bob', 'room:a')
  await a.close(1_000)
  assert.deepEqual((await nextLeaving(socket)).left, ['alice'])
})

test('R10: redis: after a gap in the fan-out a room goes on as if nothing was, and who follows what has no history is asked to come back', async (t) => {
  const [a, b] = await startTwo(t, 'redis')
  const { socket: bob } = await enter(t, b.url, 'bob', 'room:a')
  const { socket: carol } = await enter(t, b.url, 'carol', 'user:carol')
  await cutSubscribers(t)
  const said = Array.from({ length: 20 }, (_, n) => n)

  for (const n of said) await a.hub.publish('room:a', n)

  assert.deepEqual(await dataOf(bob, 20), said)
  const { delay } = await carol.nextOf('goodbye')
  assert.ok(delay >= 0)
  assert.equal(await carol.closed, CLOSE.gap)
  bob.send({ type: 'ping' })
  assert.deepEqual((await bob.nextOf('pong')).type, 'pong')
})

/** Cuts the connections on which events come. */
async function cutSubscribers(t: TestContext): Promise<void> {
  const socket = connect(brokers.redis.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('CLIENT KILL TYPE pubsub\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
}

for (const variable of ['BUS_URL', 'TASKS_URL']) {
  test(`without its packages ${variable} is refused at the start, with the command that helps`, async (t) => {
    const folder = await temporaryFolder(t)
    const root = join(import.meta.dirname, '..', '..')
    const isWanted = (path: string) => !path.includes('node_modules')
    const parts = ['server.ts', 'tasks.ts', 'ws.ts', 'package.json', 'lib', 'jobs', 'engines']
    for (const part of parts) {
      await cp(join(root, part), join(folder, part), { recursive: true, filter: isWanted })
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const env = { [variable]: 'redis://secret@127.0.0.1:1', LOG_LEVEL: 'info' }

    const { line, exited } = spawnProgram(t, env, ['--import', 'tsx', join(folder, 'server.ts')])

    await line(`${variable} needs packages that are not installed: npm --prefix engines ci`)
    assert.equal(await exited, 1)
  })
}
