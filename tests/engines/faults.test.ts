// What becomes of a broker that is absent, dies, is silent, or refuses: rows R1 to R14 of the catalogue,
// as far as they are about the fan-out. Each test has brokers of its own, and does to them what it says.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLog } from '../../lib/log.ts'
import { CLOSE } from '../../lib/protocol.ts'
import { connectSocket, type Json, quickEnv, spawnProgram, startApp, until } from '../helpers.ts'
import { PageClient } from '../page-client.ts'
import { ask, startRabbitMq, startRedis } from './brokers.ts'

const STARTS = { redis: startRedis, amqp: startRabbitMq }
const ROOM = 'room:a'

const statusOf = async (url: string) => (await fetch(url)).status
const isReady = async (url: string) => (await statusOf(`${url}/readyz`)) === 200

async function enter(t: TestContext, url: string, topic = ROOM) {
  const socket = await connectSocket(t, url, { user: 'alice' })
  return { socket, answer: await socket.ask({ type: 'subscribe', topic }) }
}

for (const [name, start] of Object.entries(STARTS)) {
  test(`R1: without ${name} at the start a server says so, is not ready, and is when it comes`, async (t) => {
    const broker = await start(t)
    await broker.kill()
    const lines: string[] = []
    const log = createLog('info', (line) => lines.push(line))
    const { url } = await startApp(t, { BUS_URL: broker.url }, { log })

    assert.equal(await statusOf(`${url}/healthz`), 200)
    const reply = await fetch(`${url}/readyz`)
    assert.equal(reply.status, 503)
    assert.match(((await reply.json()) as Json).detail, /is away/)
    assert.ok(lines.some((line) => line.includes('is away')))
    const client = await connectSocket(t, url)
    const { code } = await client.ask({ type: 'publish', topic: ROOM, data: 1 })
    assert.equal(code, 'unavailable')

    await broker.start()
    await until(() => isReady(url))
    const { offset } = await client.ask({ type: 'publish', topic: ROOM, data: 1 })
    assert.equal(offset, 1)
  })

  test(`R2, R3: while ${name} is dead what is published is refused at once; after it has come back clients are told that they can’t know, and all goes on`, async (t) => {
    const broker = await start(t)
    const [a, b] = [
      await startApp(t, { BUS_URL: broker.url }),
      await startApp(t, { BUS_URL: broker.url }),
    ]
    const { socket, answer } = await enter(t, b.url)
    const before = await a.hub.publish(ROOM, 'before')
    await socket.nextOf('message')

    await broker.kill()
    const asked = performance.now()
    await assert.rejects(a.hub.publish(ROOM, 'lost'), { code: 'unavailable' })
    assert.ok(performance.now() - asked < 2_000)
    await until(async () => !(await isReady(a.url)) && !(await isReady(b.url)))
    assert.equal(await statusOf(`${a.url}/healthz`), 200)
    assert.match(await (await fetch(`${a.url}/metrics`)).text(), /^meanwhile_bus_problem 1$/m)
    assert.equal(await statusOf(`${a.url}/tasks`), 200)

    await broker.start()
    await until(async () => (await isReady(a.url)) && (await isReady(b.url)))
    assert.equal(await socket.closed, CLOSE.gap)
    const since = { epoch: answer.epoch, offset: before }
    const back = await connectSocket(t, b.url, { user: 'alice' })
    const again = await back.ask({ type: 'subscribe', topic: ROOM, since })
    assert.equal(again.recovered, false)
    await a.hub.publish(ROOM, 'after')
    assert.equal((await back.nextOf('message')).data, 'after')
    assert.match(await (await fetch(`${b.url}/metrics`)).text(), /^meanwhile_bus_gaps_total [1-9]/m)
  })
}

test('R4: while Redis keeps its connections and is silent, what is published fails within a second or two; when it goes on, nobody has noticed', async (t) => {
  const broker = await startRedis(t)
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })
  const { socket, answer } = await enter(t, url)

  broker.pause()
  const asked = performance.now()
  await assert.rejects(hub.publish(ROOM, 'maybe'), { code: 'unavailable' })
  assert.ok(performance.now() - asked < 3_000)
  await until(async () => !(await isReady(url)))
  broker.goOn()

  await until(() => isReady(url))
  assert.ok(await hub.publish(ROOM, 'after'))
  for (;;) if ((await socket.nextOf('message')).data === 'after') break
  const again = await socket.ask({ type: 'subscribe', topic: ROOM })
  assert.equal(again.epoch, answer.epoch)
})

test('R4: RabbitMQ that keeps its connections and is silent is given up, and comes back', async (t) => {
  const broker = await startRabbitMq(t)
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })

  broker.pause()
  await assert.rejects(hub.publish(ROOM, 'maybe'), { code: 'unavailable' })
  await until(async () => !(await isReady(url)))
  broker.goOn()

  await until(() => isReady(url))
  assert.ok(await hub.publish(ROOM, 'after'))
})

test('R5: a message that Redis got without answering, and that is sent again, is there once', async (t) => {
  const broker = await startRedis(t)
  const { url } = await startApp(t, { BUS_URL: broker.url })
  const { socket } = await enter(t, url)
  const message = { type: 'publish', topic: ROOM, data: 'once', key: 'k' }

  broker.pause()
  assert.equal((await socket.ask(message)).code, 'unavailable')
  broker.goOn()
  await until(() => isReady(url))
  assert.equal((await socket.ask(message)).offset, 1)
  const { answer } = await enter(t, url)
  assert.deepEqual(
    answer.messages.map(({ data }: Json) => data),
    ['once'],
  )
})

test('R8: an event that comes twice is told once', async (t) => {
  const broker = await startRedis(t)
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })
  const { socket, answer } = await enter(t, url)
  await hub.publish(ROOM, 1)
  const { at, ...message } = await socket.nextOf('message')

  const event = `m ${answer.epoch} 1 ${JSON.stringify({ ...message, at })}`
  const size = Buffer.byteLength(event)
  const channel = `meanwhile:0:${ROOM}`
  const command = `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${size}\r\n${event}`
  assert.equal(await ask(broker, command), ':1\r\n')

  await hub.publish(ROOM, 2)
  assert.equal((await socket.nextOf('message')).data, 2)
})

test('R11: a Redis whose memory is full refuses messages, and the server is not ready', async (t) => {
  const broker = await startRedis(t, '--maxmemory-policy', 'noeviction')
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })
  await ask(broker, 'CONFIG SET maxmemory 1')
  await assert.rejects(hub.publish(ROOM, 1), { code: 'unavailable' })
  assert.equal(await statusOf(`${url}/readyz`), 503)

  await ask(broker, 'CONFIG SET maxmemory 0')
  await until(() => isReady(url))
  assert.equal(await hub.publish(ROOM, 1), 1)
})

test('R11: a Redis that may throw keys away is named in the log', async (t) => {
  const broker = await startRedis(t, '--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru')
  const lines: Json[] = []
  const log = createLog('info', (line) => lines.push(JSON.parse(line)))
  await startApp(t, { BUS_URL: broker.url }, { log })
  assert.ok(lines.some(({ level, message }) => level === 'warn' && /noeviction/.test(message)))
})

test('R12: after FLUSHALL the clients are told that they can’t know, and all goes on', async (t) => {
  const broker = await startRedis(t)
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })
  const { socket, answer } = await enter(t, url)
  await hub.publish(ROOM, 1)

  await ask(broker, 'FLUSHALL')

  assert.equal(await socket.closed, CLOSE.gap)
  const back = await connectSocket(t, url, { user: 'alice' })
  const since = { epoch: answer.epoch, offset: 1 }
  const again = await back.ask({ type: 'subscribe', topic: ROOM, since })
  assert.equal(again.recovered, false)
  assert.equal(await hub.publish(ROOM, 'new'), 1)
  assert.equal((await back.nextOf('message')).data, 'new')
})

test('R13: a Redis that has lost its last messages gives their offsets no second time in one epoch', async (t) => {
  const broker = await startRedis(t)
  const { url, hub } = await startApp(t, { BUS_URL: broker.url })
  await hub.publish(ROOM, 'kept')
  await ask(broker, 'SAVE')
  const offset = await hub.publish(ROOM, 'lost')
  const { answer } = await enter(t, url)

  await broker.kill()
  await until(async () => !(await isReady(url)))
  await broker.start()
  await until(() => isReady(url))

  assert.equal(await hub.publish(ROOM, 'another'), offset)
  const back = await connectSocket(t, url, { user: 'alice' })
  const since = { epoch: answer.epoch, offset }
  const again = await back.ask({ type: 'subscribe', topic: ROOM, since })
  assert.equal(again.recovered, false)
  assert.deepEqual(
    again.messages.map(({ data }: Json) => data),
    ['kept', 'another'],
  )
})

const wrong = ['redis://:SECRET-wrong@', ['--requirepass', 'right']] as const
const none = ['redis://', ['--requirepass', 'right']] as const
const refusals = [
  ['BUS_URL', 'redis', 'a wrong password', startRedis, ...wrong],
  ['BUS_URL', 'redis', 'no password', startRedis, ...none],
  ['TASKS_URL', 'redis', 'a wrong password', startRedis, ...wrong],
  ['TASKS_URL', 'redis', 'no password', startRedis, ...none],
  ['BUS_URL', 'amqp', 'a wrong password', startRabbitMq, 'amqp://guest:SECRET-wrong@', []],
] as const

for (const [variable, name, what, start, prefix, options] of refusals) {
  test(`R14: ${variable}: ${name} that refuses ${what} is one line that does not show it, and exit code 1`, async (t) => {
    const { port } = await start(t, ...options)
    const env = await quickEnv(t, { LOG_LEVEL: 'info', [variable]: `${prefix}127.0.0.1:${port}` })
    const { child, exited } = spawnProgram(t, env, ['--import', 'tsx', 'server.ts'])
    let output = ''
    child.stdout!.on('data', (data) => {
      output += data
    })
    assert.equal(await exited, 1)
    assert.match(output, /refuses the connection/)
    assert.doesNotMatch(output, /SECRET/)
  })
}

test('R14: a Redis that is a replica is waited for until it is none', async (t) => {
  const main = await startRedis(t)
  const replica = await startRedis(t, '--replicaof', '127.0.0.1', String(main.port))
  const { url, hub } = await startApp(t, { BUS_URL: replica.url })
  assert.equal(await statusOf(`${url}/readyz`), 503)
  await assert.rejects(hub.publish(ROOM, 1), { code: 'unavailable' })

  await ask(replica, 'REPLICAOF NO ONE')
  await until(() => isReady(url))
  assert.equal(await hub.publish(ROOM, 1), 1)
})

test('a room’s message of a Redis that is gone is not promised: the client sends it again, and it is there once', async (t) => {
  const broker = await startRedis(t)
  const { url } = await startApp(t, { BUS_URL: broker.url })
  const client = new PageClient(`${url.replace('http', 'ws')}/ws?user=alice`)
  t.after(() => client.close())
  await client.publish(ROOM, 'first')

  await broker.kill()
  const sending = [1, 2, 3].map((n) => client.publish(ROOM, n))
  await until(async () => !(await isReady(url)))
  await broker.start()
  await Promise.all(sending)

  const { answer } = await enter(t, url)
  assert.deepEqual(
    answer.messages.map(({ data }: Json) => data),
    [1, 2, 3],
  )
})
