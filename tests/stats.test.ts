import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../lib/metrics.ts'
import { type Stats, StatsFeed } from '../lib/stats.ts'
import { connectSocket, latch, startApp } from './helpers.ts'
import { ADMIN, as, startGuarded } from './tokens.ts'

test('who follows `stats` has the figures at once, and then each second', async (t) => {
  const { url, tasks } = await startApp(t)
  const { opened, open } = latch()
  await tasks.add(() => opened)
  const socket = await connectSocket(t, url)

  assert.equal((await socket.ask({ type: 'subscribe', topic: 'stats' })).type, 'ok')
  const first = await socket.next()
  await fetch(`${url}/healthz`)
  const { data, offset } = await socket.next()
  open()

  assert.deepEqual(Object.keys(first.data), Object.keys(data))
  assert.equal(first.offset, undefined)
  assert.equal(first.data.sockets, 1)
  assert.equal(offset, 1)
  assert.equal(data.sockets, 1)
  assert.deepEqual(data.tasks, { queued: 0, running: 1 })
  assert.deepEqual(Object.keys(data.delay), ['p50', 'p99', 'max'])
  assert.ok(data.memory.rss > data.memory.heap && data.memory.heap > 0)
})

test('what was counted in a second is told as so many a second', async (t) => {
  const metrics = new Metrics()
  const requests = metrics.counter('http_requests_total', 'Of two routes.')
  const frames = metrics.counter('socket_messages_total', 'All of them.')
  const { opened, open } = latch()
  let told: Stats | undefined
  const feed = new StatsFeed(metrics, (stats) => {
    told ??= stats
    open()
  })
  t.after(() => feed.stop())
  assert.deepEqual([feed.newest.requests, feed.newest.messages], [0, 0])

  requests.of({ route: 'a' }).add(3_000)
  requests.of({ route: 'b' }).add(1_000)
  frames.of().add(500)
  const keepsAlive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(keepsAlive))
  await opened

  assert.ok(told!.requests > 0)
  assert.ok(Math.abs(told!.requests / told!.messages - 8) < 0.2) // of the same time
})

test('with a secret only an admin follows `stats`', async (t) => {
  const { url } = await startGuarded(t)
  const alice = await connectSocket(t, url, { headers: as('alice') })
  const admin = await connectSocket(t, url, { headers: as('root', ADMIN) })
  assert.equal((await alice.ask({ type: 'subscribe', topic: 'stats' })).code, 'forbidden')
  assert.equal((await admin.ask({ type: 'subscribe', topic: 'stats' })).type, 'ok')
})
