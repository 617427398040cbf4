import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { defineTask } from '../tasks.ts'
import { request } from './exchanges.ts'
import {
  connectSocket,
  exchange,
  type Json,
  jsonOf,
  latch,
  post,
  startApp,
  tasksUrl,
  temporaryFolder,
  until,
} from './helpers.ts'
import { alone } from './queue.ts'

test('on an open server everybody sees all tasks, whoever added them', async (t) => {
  const { url, tasks } = await startApp(t)
  const mine = await jsonOf(post(`${url}/process?user=alice`, {}))
  const guest = await jsonOf(post(`${url}/process`, {}))
  await tasks.idle()
  const page = await jsonOf(fetch(`${url}/tasks?user=bob`))
  assert.deepEqual(
    page.tasks.map(({ id }: Json) => id),
    [guest.id, mine.id],
  )
  assert.equal((await fetch(`${url}/tasks/${mine.id}/result`)).status, 200)
  assert.equal((await fetch(`${url}/tasks?user=a%20b`)).status, 422)
  const owned = (await tasks.list({ owner: 'alice', limit: 10 })).tasks.map(({ id }) => id)
  assert.deepEqual(owned, [mine.id])
})

test('on an open server one user may fill the queue', async (t) => {
  const { url } = await startApp(t, { CAPACITY: '4', WORK_SECONDS: '60' })
  const send = () => post(`${url}/process?user=alice`, {})
  const statuses = []
  for (let i = 0; i < 5; i++) statuses.push((await send()).status)
  assert.deepEqual(statuses, [202, 202, 202, 202, 503])
})

test('a message of 60,000 bytes is taken, one more is 413', async (t) => {
  const { url, tasks } = await startApp(t)
  const statusOf = async (message: string) =>
    (await post(`${url}/notify/alice`, { message })).status
  assert.equal(await statusOf('x'.repeat(60_000)), 202)
  assert.equal(await statusOf('x'.repeat(60_001)), 413)
  assert.equal(await statusOf(`${'ü'.repeat(30_000)}x`), 413)
  await tasks.idle()
  assert.equal((await tasks.list({ limit: 10 })).tasks.length, 1)
})

const remove = (url: string) => fetch(url, { method: 'DELETE' })

test('DELETE cancels: a task that waits at once, one that runs when it returns, one that has ended not', async (t) => {
  const { opened, open } = latch()
  const hold = defineTask('hold', () => opened)
  const { url, tasks } = await startApp(t, { CONCURRENCY: '1' }, { definitions: [hold] })
  const running = await tasks.add(hold, undefined)
  await until(async () => (await tasks.find(running.id))?.state === 'running')
  const waiting = await jsonOf(post(`${url}/process`, {}))

  const first = await remove(`${url}/tasks/${waiting.id}`)
  const second = await remove(`${url}/tasks/${running.id}`)
  open()
  await tasks.idle()
  const third = await remove(`${url}/tasks/${running.id}`)

  assert.equal(first.status, 202)
  assert.equal((await jsonOf(first)).state, 'cancelled')
  assert.equal(second.status, 202)
  const { state, cancelling } = await jsonOf(second)
  assert.deepEqual([state, cancelling], ['running', true])
  assert.equal(third.status, 409)
  assert.match((await jsonOf(third)).detail, /cancelled/)
})

test('a retry is for what failed or was cancelled, and runs behind its reply', async (t) => {
  let isCured = false
  const work = defineTask('work', () => {
    if (!isCured) throw new Error('no')
  })
  const { url, tasks } = await startApp(t, {}, { definitions: [work] })
  const { id } = await tasks.add(work, undefined)
  await tasks.idle()
  isCured = true

  const reply = await post(`${url}/tasks/${id}/retry`)
  assert.equal(reply.status, 202)
  assert.equal(reply.headers.get('location'), `/tasks/${id}`)
  const task = await jsonOf(reply)
  assert.deepEqual([task.id, task.state, task.attempt], [id, 'queued', 0])
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, 'succeeded')
  assert.equal((await post(`${url}/tasks/${id}/retry`)).status, 409)
})

test('of two retries at the same time the second is refused for what the task is by then', async (t) => {
  const { opened, open } = latch()
  let isCured = false
  const work = defineTask('work', async () => {
    if (!isCured) throw new Error('no')
    await opened
  })
  const { url, tasks } = await startApp(t, {}, { definitions: [work] })
  const { id } = await tasks.add(work, undefined)
  await tasks.idle()
  isCured = true

  const retry = `POST /tasks/${id}/retry HTTP/1.1`
  const answer = await exchange(url, `${retry}\r\nHost: localhost\r\n\r\n${request(retry)}`)
  open()

  assert.match(answer, /^HTTP\/1.1 202 .*HTTP\/1.1 409 .*it is (queued|running)/s)
  await tasks.idle()
})

test('a result has its own type: JSON, bytes, more than a task shows; and may do nothing in a browser', async (t) => {
  const make = defineTask('make', (kind: string) => {
    if (kind === 'json') return { answer: 42 }
    if (kind === 'bytes')
      return { type: 'text/html', bytes: Buffer.from('<script>alert(1)</script>') }
    if (kind === 'large') return 'x'.repeat(1_000_000)
    return undefined
  })
  const { url, tasks } = await startApp(t, {}, { definitions: [make] })
  const expected: [kind: string, type: string, body: string, shown: unknown][] = [
    ['json', 'application/json; charset=utf-8', '{"answer":42}', { answer: 42 }],
    ['bytes', 'text/html', '<script>alert(1)</script>', { type: 'text/html', bytes: 25 }],
    [
      'large',
      'application/json; charset=utf-8',
      JSON.stringify('x'.repeat(1_000_000)),
      { type: 'application/json; charset=utf-8', bytes: 1_000_002 },
    ],
    ['nothing', 'application/json; charset=utf-8', 'null', null],
  ]
  for (const [kind, type, body, shown] of expected) {
    const { id } = await tasks.add(make, kind)
    await tasks.idle()
    const reply = await fetch(`${url}/tasks/${id}/result`)
    assert.equal(reply.status, 200)
    assert.equal(reply.headers.get('content-type'), type)
    assert.match(reply.headers.get('content-security-policy')!, /sandbox/)
    assert.equal(await reply.text(), body)
    assert.deepEqual((await jsonOf(fetch(`${url}/tasks/${id}`))).result, shown)
  }
})

test('there is no result of an unknown task (404), of one that has none (409), of long ago (410)', async (t) => {
  const big = defineTask('big', () => new Uint8Array(4 * 1_048_576))
  const { url, tasks } = await startApp(t, {}, { definitions: [big] })
  const failed = await tasks.add(() => {
    throw new Error('no')
  })
  const first = await tasks.add(big, undefined)
  for (let i = 0; i < 16; i++) await tasks.add(big, undefined)
  await tasks.idle()
  const statusOf = async (id: string) => (await fetch(`${url}/tasks/${id}/result`)).status
  assert.deepEqual(
    [await statusOf('unknown'), await statusOf(failed.id), await statusOf(first.id)],
    [404, 409, 410],
  )
  const { state, result } = await jsonOf(fetch(`${url}/tasks/${first.id}`))
  assert.deepEqual([state, result], ['succeeded', null])
})

for (const [method, path] of [
  ['GET', ''],
  ['GET', '/result'],
  ['DELETE', ''],
  ['POST', '/retry'],
] as const) {
  test(`T11: ${method} /tasks/unknown${path} is 404`, async (t) => {
    const { url } = await startApp(t)
    assert.equal((await fetch(`${url}/tasks/unknown${path}`, { method })).status, 404)
  })
}

test('T19: one Idempotency-Key is one task and one answer, at the same time and later', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const { url, tasks } = await startApp(t, { WORK_FILE: file })
  const send = (body: Json, key = 'k', query = '') =>
    post(`${url}/process${query}`, body, { 'idempotency-key': key })

  const together = await Promise.all([send({ n: 1 }), send({ n: 1 }), send({ n: 1 })])
  await tasks.idle()
  const later = await send({ n: 1 })
  const answers = await Promise.all([...together, later].map((reply) => reply.text()))

  assert.ok([...together, later].every(({ status }) => status === 202))
  assert.equal(new Set(answers).size, 1)
  assert.equal(await readFile(file, 'utf8'), 'Processed: {"n":1}\n')
  assert.equal((await send({ n: 2 })).status, 422)
  assert.equal((await send({ n: 1 }, 'k', '?fail=1')).status, 422)
  assert.equal((await send({ n: 1 }, 'k', '?user=bob')).status, 202, 'a key is one user’s own')
  assert.equal((await send({ n: 2 }, 'another')).status, 202)
  await tasks.idle()
  assert.equal((await tasks.list({ limit: 10 })).tasks.length, 3)
})

test('a notification without a name is the same one when it is sent again', async (t) => {
  const { url, tasks } = await startApp(t)
  const send = () => post(`${url}/notify/alice`, undefined, { 'idempotency-key': 'k' })
  assert.deepEqual(await jsonOf(send()), await jsonOf(send()))
  await tasks.idle()
  assert.equal((await tasks.list({ limit: 10 })).tasks.length, 1)
})

for (const key of ['', 'a b', 'x'.repeat(256), 'ü']) {
  test(`an Idempotency-Key of ${key.length} characters, "${key.slice(0, 5)}", is 400`, async (t) => {
    const { url } = await startApp(t)
    assert.equal((await post(`${url}/process`, {}, { 'idempotency-key': key })).status, 400)
  })
}

test('a key is known after a restart, with the same answer', async (t) => {
  const env = { JOURNAL: join(await temporaryFolder(t), 'tasks.journal'), TASKS_URL: tasksUrl() }
  const send = (url: string) => post(`${url}/process`, {}, { 'idempotency-key': 'k' })
  const before = await startApp(t, env)
  const first = await (await send(before.url)).text()
  await before.tasks.idle()
  await before.close()
  const after = await startApp(t, env)
  assert.equal(await (await send(after.url)).text(), first)
  assert.equal(after.tasks.size, 0)
})

test('a picture is drawn in a thread, with progress, and comes as a PNG', async (t) => {
  const { url } = await startApp(t)
  const watcher = await connectSocket(t, url)
  const reply = await post(`${url}/render`, { width: 64, height: 48, iterations: 2_000 })
  const { id, status } = await jsonOf(reply)
  assert.deepEqual([reply.status, status], [202, 'accepted'])
  assert.equal(reply.headers.get('location'), `/tasks/${id}`)
  await watcher.ask({ type: 'subscribe', topic: `task:${id}` })
  let task: Json
  do task = (await watcher.nextOf('message')).data
  while (!task.endedAt)
  assert.deepEqual([task.state, task.progress, task.result.type], ['succeeded', 1, 'image/png'])
  const picture = Buffer.from(await (await fetch(`${url}/tasks/${id}/result`)).arrayBuffer())
  assert.equal(picture.toString('latin1', 1, 4), 'PNG')
  assert.deepEqual([picture.readUInt32BE(16), picture.readUInt32BE(20)], [64, 48])
})

const views: [body: unknown, pointer: string][] = [
  [{ width: 15 }, '/width'],
  [{ height: 2_001 }, '/height'],
  [{ width: 64.5 }, '/width'],
  [{ zoom: 0 }, '/zoom'],
  [{ iterations: '9' }, '/iterations'],
  [{ x: null }, '/x'],
]

for (const [body, pointer] of views) {
  test(`a picture with ${JSON.stringify(body)} is 422, naming ${pointer}`, async (t) => {
    const { url } = await startApp(t)
    const reply = await post(`${url}/render`, body)
    assert.equal(reply.status, 422)
    assert.equal((await jsonOf(reply)).errors[0].pointer, pointer)
  })
}

test('a picture that is cancelled ends at once, and its thread with it', async (t) => {
  const { url, tasks } = await startApp(t)
  const size = { width: 2_000, height: 2_000, iterations: 2_000, zoom: 1 }
  const { id } = await jsonOf(post(`${url}/render`, size))
  await until(async () => (await tasks.find(id))?.progress)
  await remove(`${url}/tasks/${id}`)
  await tasks.idle() // within the test's limit: the whole picture takes far longer
  assert.equal((await tasks.find(id))?.state, 'cancelled')
})

test(
  'a server that can’t write its journal is not ready, and says why',
  alone('it has none'),
  async (t) => {
    const folder = await temporaryFolder(t)
    const { url, tasks } = await startApp(t, { JOURNAL: join(folder, 'sub', 'tasks.journal') })
    assert.equal((await fetch(`${url}/readyz`)).status, 200)
    const figures = async () => (await fetch(`${url}/metrics`)).text()
    assert.match(await figures(), /\nmeanwhile_journal_failed 0\n/)
    await rm(join(folder, 'sub'), { recursive: true })
    const refused = await post(`${url}/process`, {})
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '1')
    const ready = await fetch(`${url}/readyz`)
    assert.equal(ready.status, 503)
    assert.match((await jsonOf(ready)).detail, /journal is closed/)
    assert.match(await figures(), /\nmeanwhile_journal_failed 1\n/)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
    assert.equal(tasks.size, 0)
  },
)

test('the figures count requests by route, tasks by name, and nothing that a client made up', async (t) => {
  const { url, tasks } = await startApp(t)
  await post(`${url}/process?fail=1`, {}, { 'x-request-id': 'made-up' })
  await fetch(`${url}/made-up`)
  await fetch(`${url}/tasks/made-up`)
  await tasks.idle()
  const reply = await fetch(`${url}/metrics`)
  const text = await reply.text()
  assert.match(reply.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'meanwhile_http_requests_total{route="POST /process",status="202"} 1',
    'meanwhile_http_requests_total{route="none",status="404"} 1',
    'meanwhile_http_requests_total{route="GET /tasks/:id",status="404"} 1',
    'meanwhile_tasks_accepted_total{name="write-log"} 1',
    'meanwhile_tasks_ended_total{name="write-log",state="succeeded"} 1',
    'meanwhile_task_retries_total{name="write-log"} 1',
    'meanwhile_task_run_seconds_count{name="write-log"} 2',
    'meanwhile_tasks_queued 0',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line)
  }
  assert.doesNotMatch(text, /made-up/)
})
