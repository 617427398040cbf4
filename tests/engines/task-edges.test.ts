// Tasks over Redis at their edges: ends, cancels, keys and stops that meet, and what is kept of all of it.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { defineTask } from '../../tasks.ts'
import { connectSocket, latch, startApp, until } from '../helpers.ts'
import { ask, startRedis } from './brokers.ts'

const broker = await startRedis({ after })
let databases = 0
const sharedEnv = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  TASKS_URL: `${broker.url}/${databases++}`,
  ...more,
})

/** How many keys of Redis, in the database of the last server, match. */
async function keys(pattern: string): Promise<number> {
  const found = await ask(broker, `SELECT ${databases - 1}\r\nKEYS ${pattern}`)
  return Number(/\*(\d+)/.exec(found)?.[1])
}

test('a cancel that is confirmed when the attempt has failed already takes the retry away', async (t) => {
  const env = sharedEnv({ CONCURRENCY: '50' })
  const work = defineTask('work', async () => {
    await delay(20)
    throw new Error('no')
  })
  const definitions = [work]
  const { tasks } = await startApp(t, env, { definitions })
  const web = await startApp(t, { ...env, ROLE: 'web' }, { definitions })
  const confirmed = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const { id } = await tasks.add(work, undefined, { attempts: 5, backoff: 3_600_000 })
      await delay(12 + (n % 15))
      return (await web.tasks.cancel(id)) && id
    }),
  )
  for (const id of confirmed.filter((one) => one !== undefined)) {
    await until(async () => (await tasks.find(id))?.state === 'cancelled') // an hour otherwise
  }
})

test('a key whose task is forgotten makes another task, within the bounds', async (t) => {
  const work = defineTask('work', (n: number) => n)
  const own = defineTask('own', (n: number) => n, { concurrency: 1 })
  const hold = latch()
  const slow = defineTask('slow', () => hold.opened)
  const definitions = [work, own, slow]
  const { tasks } = await startApp(t, sharedEnv({ KEEP: '1' }), { definitions })
  const first = await tasks.add(work, 1, { key: 'k' })
  await tasks.idle()
  await tasks.add(work, 2) // for which the first is forgotten
  await tasks.idle()

  const second = await tasks.add(own, 1, { key: 'k' })
  await tasks.idle()
  assert.notEqual(second.id, first.id)
  assert.equal((await tasks.find(second.id))?.state, 'succeeded')
  await assert.rejects(tasks.add(work, 1, { key: 'k' }), { name: 'KeyReusedError' })
  hold.open()
})

test('with nothing to keep, keys count against the bounds, and a cancel says what it has done', async (t) => {
  const hold = latch()
  const slow = defineTask('slow', () => hold.opened)
  const quick = defineTask('quick', () => 1)
  const env = sharedEnv({ KEEP: '0', CAPACITY: '2', CONCURRENCY: '1' })
  const { tasks } = await startApp(t, env, { definitions: [slow, quick] })
  for (const key of ['a', 'b']) await tasks.add(quick, undefined, { key })
  await tasks.idle()
  await tasks.add(slow, undefined)
  const { id } = await tasks.add(quick, undefined, { key: 'a' })
  await assert.rejects(tasks.add(quick, undefined, { key: 'b' }), { name: 'QueueFullError' })
  assert.equal((await tasks.cancel(id))?.state, 'cancelled')
  hold.open()
  await tasks.idle()
})

test('a server that stops leaves nothing that it has fetched and not begun', async (t) => {
  const env = sharedEnv()
  const work = defineTask('work', () => delay(Math.random() * 5))
  const definitions = [work]
  const web = await startApp(t, { ...env, ROLE: 'web' }, { definitions })
  for (let round = 0; round < 5; round++) {
    const { tasks, close } = await startApp(t, { ...env, ROLE: 'worker' }, { definitions })
    await Promise.all(Array.from({ length: 200 }, () => web.tasks.add(work, undefined)))
    await until(async () => (await tasks.list({ limit: 1, state: 'succeeded' })).tasks.length > 0)
    await close(5_000)
    const { tasks: running } = await web.tasks.list({ limit: 100, state: 'running' })
    assert.deepEqual(running, [])
  }
})

test('what a cancelled task has waited for puts it in line no more, after it was retried', async (t) => {
  const work = defineTask('work', () => 1)
  const { tasks } = await startApp(t, sharedEnv(), { definitions: [work] })
  const [first, second] = [latch(), latch()]
  const { id } = await tasks.add(work, undefined, { after: first.opened })
  await tasks.cancel(id)
  await tasks.retry(id, { after: second.opened })
  first.open()
  const other = await tasks.add(work, undefined)
  await until(async () => (await tasks.find(other.id))?.endedAt)
  assert.equal((await tasks.find(id))?.state, 'queued')
  second.open()
  await until(async () => (await tasks.find(id))?.state === 'succeeded')
})

test('a definition with slots of its own is served, also if one of its tasks was retried before it was known', async (t) => {
  const env = sharedEnv()
  let isCured = false
  const own = defineTask(
    'own',
    () => {
      if (!isCured) throw new Error('no')
    },
    { concurrency: 1 },
  )
  const before = await startApp(t, env, { definitions: [own] })
  const { id } = await before.tasks.add(own, undefined)
  await before.tasks.idle()
  await before.close()
  isCured = true

  const { tasks } = await startApp(t, env)
  await tasks.retry(id)
  await tasks.add(own, undefined)
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, 'succeeded')
})

test('results are forgotten with their tasks, empty ones, too', async (t) => {
  const empty = defineTask('empty', () => new Uint8Array(0))
  const { tasks } = await startApp(t, sharedEnv({ KEEP: '5' }), { definitions: [empty] })
  for (let n = 0; n < 20; n++) await tasks.add(empty, undefined)
  await tasks.idle()
  assert.equal(await keys('meanwhile:result:*'), 20)
  // As if they had been accepted long ago: what is new may be on its way.
  await ask(
    broker,
    `SELECT ${databases - 1}\r\nEVAL "for _, entry in ipairs(redis.call('ZRANGE', 'meanwhile:index', 0, -1)) do redis.call('ZADD', 'meanwhile:index', redis.call('ZSCORE', 'meanwhile:index', entry), (entry:gsub('%d+$', '0'))) redis.call('ZREM', 'meanwhile:index', entry) end" 0`,
  )
  for (let n = 0; n < 20; n++) await tasks.add(empty, undefined)
  await tasks.idle()
  assert.ok((await keys('meanwhile:result:*')) <= 30)
})

test('ids that are none are unknown, whatever they look like', async (t) => {
  const work = defineTask('work', () => 1)
  const { url, tasks } = await startApp(t, sharedEnv(), { definitions: [work] })
  await tasks.add(work, undefined, { owner: 'a-index' })
  const ids = [
    'x',
    '-',
    'a-index',
    'a-index:a-index',
    '-any',
    '0123456789abcdef-',
    'é',
    'x'.repeat(5_000),
  ]
  for (const id of ids) {
    assert.equal((await fetch(`${url}/tasks/${encodeURIComponent(id)}`)).status, 404, id)
    assert.equal(await tasks.cancel(id), undefined)
    assert.equal(await tasks.retry(id), undefined)
  }
  const socket = await connectSocket(t, url)
  const { code } = await socket.ask({ type: 'subscribe', topic: 'task:a-index' })
  assert.equal(code, 'not_found')
})

test('a priority goes before all that wait already, and after that order holds', async (t) => {
  const { opened, open } = latch()
  const order: number[] = []
  const work = defineTask('work', async (n: number) => {
    if (n === 0) await opened
    else order.push(n)
  })
  const env = sharedEnv({ CONCURRENCY: '1' })
  const { tasks } = await startApp(t, env, { definitions: [work] })
  const first = await tasks.add(work, 0)
  await until(async () => (await tasks.find(first.id))?.state === 'running')
  for (const [n, priority] of [
    [4, 0],
    [5, 0],
    [8, -1],
    [1, 9],
    [6, 0],
    [2, 1],
    [3, 1],
    [7, 0],
  ]) {
    await tasks.add(work, n!, { priority: priority! })
  }
  open()
  await tasks.idle()
  assert.deepEqual(order, [1, 2, 3, 4, 5, 6, 7, 8])
})
