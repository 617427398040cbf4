// The browser's client, in Node, against the whole server, through a network that breaks.

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'
import { connectSocket, fail, type Json, latch, startApp, until } from './helpers.ts'
import { randomOf, startNetwork } from './network.ts'
import { type Client, PageClient } from './page-client.ts'

interface Options {
  token?: () => string | Promise<string>
}

/** A client that leaves when the test ends, and what it said of its connection. */
function startClient(t: TestContext, url: string, options: Options = {}) {
  const statuses: [status: string, delay: number, reason: string][] = []
  const onStatus = (...status: (typeof statuses)[number]) => void statuses.push(status)
  const client = new PageClient(url, { ...options, onStatus })
  t.after(() => client.close())
  const is = (wanted: string) => until(() => statuses.at(-1)?.[0] === wanted)
  return { client, statuses, is }
}

/** What the listener of a topic hears, in order. */
function follow(client: Client, topic: string) {
  const heard: Json[] = []
  const starts: Json[] = []
  const unsubscribe = client.subscribe(topic, {
    onStart: (start) => {
      starts.push(start)
      heard.push({ start: start.recovered })
    },
    onMessage: ({ offset, data }) => void heard.push({ offset, data }),
    onPresence: (change) => void heard.push(change),
    onError: (error) => void heard.push(error),
  })
  const data = () => heard.filter((entry) => 'data' in entry).map((entry) => entry.data)
  return { heard, starts, data, unsubscribe }
}

/** Its waits are random, and here all but none. */
function makeImpatient(t: TestContext): void {
  t.mock.method(Math, 'random', () => 0.001)
}

const wsOf = (url: string) => `${url.replace('http', 'ws')}/ws`

/** A server that does with its n-th client what it is told, and notes what it offered. */
async function startFake(t: TestContext, serve: (socket: WebSocket, n: number) => void) {
  const offers: (string | undefined)[] = []
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => 'meanwhile.v1',
  })
  t.after(() => server.close())
  server.on('connection', (socket, req) => {
    t.after(() => socket.terminate())
    offers.push(req.headers['sec-websocket-protocol'])
    serve(socket, offers.length)
  })
  await once(server, 'listening')
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, offers }
}

// Its own ping is due every 20 s: here time is not waited for. It comes first, since a timer of
// another test could not be cleared meanwhile.
test('a server that is silent is given up, one that answers is not', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const now = performance.now.bind(performance)
  let passed = 0
  t.mock.method(performance, 'now', () => now() + passed)
  const pass = (milliseconds: number) => {
    passed += milliseconds
    t.mock.timers.tick(milliseconds)
  }
  const { opened, open } = latch()
  const started = { type: 'ok', topic: 'room:a', epoch: '', offset: 0, messages: [] }
  let isSilent = false
  let pings = 0
  const { url } = await startFake(t, (socket) => {
    socket.on('message', (text) => {
      const { type, id } = JSON.parse(String(text))
      if (type === 'subscribe') socket.send(JSON.stringify({ ...started, id }))
      if (type !== 'ping') return
      pings++
      if (isSilent) open()
      else socket.send('{"type":"message","topic":"room:a","at":"","data":"pong"}')
    })
  })
  const { client, statuses } = startClient(t, url)
  const { data } = follow(client, 'room:a')
  const turnsUntil = async (condition: () => boolean) => {
    while (!condition()) await turn()
  }
  await turnsUntil(() => statuses.at(-1)?.[0] === 'connected')

  for (const times of [1, 2, 3]) {
    pass(20_000)
    await turnsUntil(() => data().length === times)
  }
  assert.equal(statuses.at(-1)![0], 'connected')
  isSilent = true
  pass(20_000)
  await opened
  assert.equal(statuses.at(-1)![0], 'connected')
  pass(20_000)

  await turn()
  assert.equal(pings, 4)
  const [status, , reason] = statuses.at(-1)!
  assert.deepEqual([status, reason], ['waiting', 'the server is silent'])
})

test('a client follows, publishes, and hears who is there', async (t) => {
  const { url } = await startApp(t)
  const { client } = startClient(t, `${wsOf(url)}?user=alice`)
  const { client: other } = startClient(t, `${wsOf(url)}?user=bob`)
  const { heard, starts } = follow(client, 'room:a')

  assert.equal(await client.publish('room:a', { text: 'tea?' }), 1)
  assert.equal(await other.publish('room:a', 'yes'), 2)
  await until(() => starts.length > 0) // what is transient comes to those who are there
  await other.publish('room:a', 'typing', { transient: true })
  await until(() => heard.length >= 4)
  follow(other, 'room:a')
  await until(() => heard.length >= 5)

  assert.deepEqual([starts[0].members, starts[0].count], [['alice'], 1])
  assert.deepEqual(heard.slice(0, 4), [
    { start: false },
    { offset: 1, data: { text: 'tea?' } },
    { offset: 2, data: 'yes' },
    { offset: undefined, data: 'typing' },
  ])
  assert.deepEqual([heard[4].type, heard[4].count], ['presence', 2])
})

test('a client that comes late begins with what the room has kept', async (t) => {
  const { url, hub } = await startApp(t)
  for (const data of ['one', 'two']) await hub.publish('room:a', data)
  const { client } = startClient(t, wsOf(url))
  const { heard } = follow(client, 'room:a')
  await until(() => heard.length === 3)
  assert.deepEqual(heard, [
    { start: false },
    { offset: 1, data: 'one' },
    { offset: 2, data: 'two' },
  ])
})

test('a topic that was left is heard no more', async (t) => {
  const { url, hub } = await startApp(t)
  const { client } = startClient(t, wsOf(url))
  const { heard, unsubscribe } = follow(client, 'room:a')
  await until(() => heard.length === 1)

  hub.publish('room:a', 'on its way')
  unsubscribe()
  unsubscribe()
  await until(() => !hub.isFollowed('room:a'))
  await client.publish('room:a', 'after')

  assert.deepEqual(heard, [{ start: false }])
})

test('who follows a topic is told when the server refuses it', async (t) => {
  const { url } = await startApp(t)
  const { client } = startClient(t, `${wsOf(url)}?user=alice`)
  const { heard } = follow(client, 'user:bob')
  await until(() => heard.length === 1)
  assert.equal(heard[0].code, 'forbidden')
})

test('a listener that leaves in the middle of an answer hears no more of it', async (t) => {
  const { url, hub } = await startApp(t)
  for (const data of [1, 2, 3]) await hub.publish('room:a', data)
  const { client } = startClient(t, wsOf(url))
  const heard: unknown[] = []

  const leave = client.subscribe('room:a', {
    onMessage: ({ data }) => {
      heard.push(data)
      leave()
    },
  })
  const other = follow(client, 'room:b')
  await until(() => other.starts.length === 1) // answered after the first one

  assert.deepEqual(heard, [1])
})

test('what is published is what it was at that moment', async (t) => {
  const { url } = await startApp(t)
  const { client } = startClient(t, wsOf(url))
  const data: Json = { n: 1 }
  const published = client.publish('room:a', data) // before there is a connection
  data.n = data
  await published
  const room = follow(client, 'room:a')
  await until(() => room.data().length === 1)
  assert.deepEqual(room.data(), [{ n: 1 }])
  await assert.rejects(client.publish('room:a', data), TypeError)
})

test('a message that the server refuses is rejected', async (t) => {
  const { url } = await startApp(t)
  const { client } = startClient(t, wsOf(url))
  await assert.rejects(client.publish('user:alice', 1), { code: 'forbidden' })
  assert.equal(await client.publish('room:a', 1), 1)
})

test('who follows a topic anew hears nothing ahead of its start, and nothing twice', async (t) => {
  const { url, hub } = await startApp(t)
  const { client } = startClient(t, wsOf(url))
  const first = follow(client, 'room:a')
  await until(() => first.heard.length === 1)

  hub.publish('room:a', 'one')
  await turn() // it is on its way
  first.unsubscribe()
  const second = follow(client, 'room:a')
  await until(() => second.starts.length > 0)
  await client.publish('room:a', 'two')
  await until(() => second.heard.at(-1).data === 'two')

  assert.deepEqual(second.heard, [
    { start: false },
    { offset: 1, data: 'one' },
    { offset: 2, data: 'two' },
  ])
})

// — a connection that breaks —

test('a client that was away comes back by itself, and hears what it has missed', async (t) => {
  makeImpatient(t)
  const { url, hub } = await startApp(t)
  const network = await startNetwork(t, url)
  const { client } = startClient(t, network.url)
  const { heard } = follow(client, 'room:a')
  await until(() => heard.length === 1)
  await hub.publish('room:a', 'before')
  await until(() => heard.length === 2)

  network.down()
  await until(() => !hub.isFollowed('room:a'))
  for (const data of ['one', 'two']) await hub.publish('room:a', data)
  network.up()
  await until(() => heard.length === 5)

  assert.deepEqual(heard, [
    { start: false },
    { offset: 1, data: 'before' },
    { start: true },
    { offset: 2, data: 'one' },
    { offset: 3, data: 'two' },
  ])
})

test('a client that has missed more than is kept is told so', async (t) => {
  makeImpatient(t)
  const { url, hub } = await startApp(t, { HISTORY: '1' })
  const network = await startNetwork(t, url)
  const { client } = startClient(t, network.url)
  const { heard } = follow(client, 'room:a')
  await until(() => heard.length === 1)

  network.down()
  await until(() => !hub.isFollowed('room:a'))
  for (const data of ['one', 'two']) await hub.publish('room:a', data)
  network.up()
  await until(() => heard.length === 3)

  assert.deepEqual(heard, [{ start: false }, { start: false }, { offset: 2, data: 'two' }])
})

test('a room that was dropped and made again never passes for the old one', async (t) => {
  makeImpatient(t)
  const { url, hub } = await startApp(t, { MAX_ROOMS: '1' })
  const network = await startNetwork(t, url)
  const { client } = startClient(t, network.url)
  const { heard } = follow(client, 'room:a')
  await until(() => heard.length === 1)
  await hub.publish('room:a', 'old')
  await until(() => heard.length === 2)

  network.down()
  await until(() => !hub.isFollowed('room:a'))
  await hub.publish('room:b', 'it takes the place')
  assert.equal(await hub.publish('room:a', 'new'), 1) // with the offset of the old one
  network.up()
  await until(() => heard.length === 4)

  assert.deepEqual(heard, [
    { start: false },
    { offset: 1, data: 'old' },
    { start: false },
    { offset: 1, data: 'new' },
  ])
})

test('what is published while it is away arrives once and in order', async (t) => {
  makeImpatient(t)
  const { url, hub } = await startApp(t)
  const network = await startNetwork(t, url)
  const { client, is } = startClient(t, network.url)
  const { heard, data } = follow(client, 'room:a')
  await until(() => heard.length === 1)

  network.down()
  await until(() => !hub.isFollowed('room:a'))
  await is('waiting')
  const published = [1, 2, 3].map((n) => client.publish('room:a', n))
  const transient = await client.publish('room:a', 'cursor', { transient: true })
  network.up()

  assert.deepEqual(await Promise.all(published), [1, 2, 3])
  assert.equal(transient, undefined)
  await until(() => data().length === 3)
  assert.deepEqual(data(), [1, 2, 3])
})

test('a message whose answer was lost arrives once, and what came after it after it', async (t) => {
  makeImpatient(t)
  const { url } = await startApp(t)
  const witness = await connectSocket(t, url)
  await witness.ask({ type: 'subscribe', topic: 'room:a' })
  const network = await startNetwork(t, url)
  const { client, is } = startClient(t, `${network.url}?user=alice`)
  await is('connected')

  network.mute()
  const published = [client.publish('room:a', 'one'), client.publish('room:a', 'two')]
  await witness.nextOf('message')
  await witness.nextOf('message') // the server has both, and nobody knows
  published.push(client.publish('room:a', 'three'))
  network.cut()

  assert.deepEqual(await Promise.all(published), [1, 2, 3])
  assert.equal((await witness.nextOf('message')).data, 'three')
  await client.publish('room:a', 'four')
  assert.equal((await witness.nextOf('message')).data, 'four')
})

test('a guest’s message whose answer was lost arrives once, too', async (t) => {
  makeImpatient(t)
  const { url } = await startApp(t)
  const witness = await connectSocket(t, url)
  await witness.ask({ type: 'subscribe', topic: 'room:a' })
  const network = await startNetwork(t, url)
  const { client, is } = startClient(t, network.url)
  await is('connected')

  network.mute()
  const published = client.publish('room:a', 'one')
  await witness.nextOf('message')
  network.cut()

  assert.equal(await published, 1)
})

test('a client tries again, when no connection could be made', {
  timeout: 5_000,
}, async (t) => {
  makeImpatient(t)
  const { url } = await startApp(t)
  const network = await startNetwork(t, url)
  network.down()
  const { client, statuses } = startClient(t, network.url)
  await until(() => t.signal.aborted || statuses.at(-1)?.[0] === 'waiting')
  network.up()

  assert.equal(await client.publish('room:a', 1), 1)
})

test('at most 100 messages wait, and closing rejects them', async (t) => {
  const { url } = await startApp(t)
  const network = await startNetwork(t, url)
  network.down()
  const { client, is } = startClient(t, network.url)
  await is('waiting')

  const waiting = Array.from({ length: 100 }, (_, n) => client.publish('room:a', n))
  const outcomes = Promise.allSettled(waiting)
  await assert.rejects(client.publish('room:a', 100), /too much is waiting/)
  assert.equal(await client.publish('room:a', 'cursor', { transient: true }), undefined)
  client.close()

  for (const { status } of await outcomes) assert.equal(status, 'rejected')
  await assert.rejects(client.publish('room:a', 101), /closed/)
})

test('a message that is too big is refused at once, and those behind it are not held up', async (t) => {
  const { url } = await startApp(t)
  const { client, statuses } = startClient(t, wsOf(url))

  await assert.rejects(client.publish('room:a', 'ä'.repeat(32_500)), /at most 65000 bytes/)

  assert.equal(await client.publish('room:a', 'ä'.repeat(32_400)), 1)
  assert.deepEqual(
    statuses.map(([status]) => status),
    ['connecting', 'connected'],
  )
})

test('of many transient messages the newest arrives, and a message in between is not lost', async (t) => {
  const { url } = await startApp(t)
  const witness = await connectSocket(t, url)
  await witness.ask({ type: 'subscribe', topic: 'room:a' })
  const { client, is } = startClient(t, wsOf(url))
  await is('connected')

  for (let n = 1; n <= 500; n++) {
    assert.equal(await client.publish('room:a', n, { transient: true }), undefined)
    if (n === 400) client.publish('room:a', 'said')
  }

  const heard: unknown[] = []
  const isAll = () => heard.includes(500) && heard.includes('said')
  while (!isAll()) heard.push((await witness.nextOf('message')).data)
  const places = heard.filter((data) => data !== 'said') as number[]
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
  assert.ok(places.length < 100)
})

test('many requests at once are paced, so that the server closes nobody', async (t) => {
  const { url } = await startApp(t)
  const { client, statuses } = startClient(t, wsOf(url))
  const rooms = Array.from({ length: 20 }, (_, n) => follow(client, `room:${n}`))

  const published = Array.from({ length: 40 }, (_, n) => client.publish('room:0', n))
  const offsets = await Promise.all(published)
  await until(() => rooms[0]!.data().length === 40)
  await until(() => rooms.every(({ starts }) => starts.length > 0))

  assert.deepEqual(
    offsets,
    offsets.map((_, i) => i + 1),
  )
  assert.deepEqual(
    rooms[0]!.data(),
    offsets.map((_, i) => i),
  )
  assert.ok(rooms.every(({ starts }) => starts.length === 1))
  assert.deepEqual(
    statuses.map(([status]) => status),
    ['connecting', 'connected'],
  )
})

// — what the server says —

for (const [code, hasToken, comesBack] of [
  [1001, false, true],
  [1008, false, true],
  [1011, false, true],
  [4001, false, true],
  [4099, false, true],
  [4100, false, false],
  [4101, false, false],
  [4199, false, false],
  [4200, false, true],
  [4100, true, false],
  [4101, true, true],
] as const) {
  const who = hasToken ? 'with a token' : 'without a token'
  test(`${who}, after ${code} it ${comesBack ? 'comes back' : 'stays away'}`, async (t) => {
    makeImpatient(t)
    const { url, offers } = await startFake(t, (socket, n) => {
      if (n === 1) socket.close(code, 'because')
    })
    const { client, statuses, is } = startClient(t, url, hasToken ? { token: () => 'secret' } : {})

    await is(comesBack ? 'connected' : 'closed')
    if (comesBack) await until(() => offers.length === 2)
    else await assert.rejects(client.publish('room:a', 1), /closed/)

    assert.equal(offers.length, comesBack ? 2 : 1)
    const ends = statuses.filter(([status]) => status === 'waiting' || status === 'closed')
    assert.deepEqual(
      ends.map(([status, , reason]) => [status, reason]),
      [[comesBack ? 'waiting' : 'closed', 'because']],
    )
  })
}

test('it asks for a new token at each connection', async (t) => {
  makeImpatient(t)
  const { url, offers } = await startFake(t, (socket, n) => {
    if (n < 3) socket.close(4101, 'the token has expired')
  })
  let tokens = 0
  startClient(t, url, { token: async () => `token-${++tokens}` })
  await until(() => offers.length === 3)
  assert.deepEqual(
    offers.map((offer) => offer?.split(',').map((name) => name.trim())),
    [1, 2, 3].map((n) => ['meanwhile.v1', `bearer.token-${n}`]),
  )
})

test('without a token to be had it tries again', async (t) => {
  makeImpatient(t)
  const { url, offers } = await startFake(t, () => {})
  let asked = 0
  const token = async () => {
    if (++asked === 1) throw new Error('no network')
    return 'secret'
  }
  const { statuses, is } = startClient(t, url, { token })
  await is('connected')
  assert.equal(offers.length, 1)
  assert.match(statuses.find(([status]) => status === 'waiting')![2], /no network/)
})

test('S12: it comes back when a goodbye told it to, once', async (t) => {
  makeImpatient(t)
  const { url, offers } = await startFake(t, (socket, n) => {
    if (n === 1) socket.send('{"type":"goodbye","reconnect":true,"delay":123}')
    if (n < 3) socket.close(1001)
  })
  const { statuses } = startClient(t, url)
  await until(() => offers.length === 3)
  const [first, second] = statuses.filter(([status]) => status === 'waiting')
  assert.equal(first![1], 123)
  assert.ok(second![1] < 123)
})

test('it stays away when a goodbye told it to', async (t) => {
  const { url, offers } = await startFake(t, (socket) => {
    socket.send('{"type":"goodbye","reconnect":false,"delay":0}')
    socket.close(1001)
  })
  const { is } = startClient(t, url)
  await is('closed')
  assert.equal(offers.length, 1)
})

test('closing it during a wait ends the wait', async (t) => {
  const { url, offers } = await startFake(t, (socket) => socket.close(1001))
  const { client, statuses, is } = startClient(t, url)
  await is('waiting')
  client.close()
  client.close()
  await is('closed')
  assert.equal(statuses.filter(([status]) => status === 'closed').length, 1)
  assert.equal(offers.length, 1)
})

// — the whole promise —

for (const [history, what] of [
  ['5000', 'hear every message once and in order'],
  ['3', 'hear every message once and in order, or are told that they could not'],
] as const) {
  test(`two that are cut 100 times, while a third talks, ${what}`, async (t) => {
    const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
    const hang = setTimeout(() => fail(new Error(`seed ${seed}: it does not end`)), 60_000)
    t.after(() => clearTimeout(hang))
    const random = randomOf(seed)
    t.mock.method(Math, 'random', () => random() / 1_000)
    const { url } = await startApp(t, { HISTORY: history })
    const network = await startNetwork(t, url)
    const readers = [1, 2].map(() => follow(startClient(t, network.url).client, 'room:a'))
    const { client: talker } = startClient(t, `${network.url}?user=talker`)
    const published: Promise<number | undefined>[] = []
    let answered = 0

    const cameBack = () => readers.every(({ starts }) => starts.length > 10)
    for (let cuts = 0; cuts < 100 || !cameBack(); ) {
      for (let n = random() * 4; n >= 1; n--) {
        if (published.length - answered >= 50) break
        const once = talker.publish('room:a', published.length + 1)
        published.push(once.finally(() => answered++))
      }
      for (let turns = 40 * random() ** 3; turns >= 0; turns--) await turn()
      cuts += network.cut(() => random() < 0.2)
    }
    const offsets = await Promise.all(published)
    const last = offsets.at(-1)
    await until(() => readers.every(({ heard }) => heard.some(({ offset }) => offset === last)))

    assert.deepEqual(
      offsets,
      offsets.map((_, i) => i + 1),
      `seed ${seed}`,
    )
    for (const { heard, starts } of readers) {
      let last = 0
      let mayMiss = true
      for (const { start, offset, data } of heard.filter(({ type }) => type !== 'presence')) {
        if (start === false) mayMiss = true
        if (start !== undefined) continue
        const isNext: boolean = mayMiss ? offset > last : offset === last + 1
        assert.ok(isNext && data === offset, `seed ${seed}: ${offset} (${data}) after ${last}`)
        last = offset
        mayMiss = false
      }
      const untold = starts.slice(1).filter(({ recovered }) => !recovered).length
      if (history === '5000') assert.equal(untold, 0, `seed ${seed}`)
    }
  })
}
