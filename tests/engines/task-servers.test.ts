// Tasks over several servers: accepted by one, done by another, looked at on a third.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { defineTask } from '../../tasks.ts'
import {
  connectSocket,
  type Json,
  jsonOf,
  latch,
  post,
  spawnProgram,
  spawnServer,
  startApp,
  temporaryFolder,
  until,
} from '../helpers.ts'
import { as, startGuarded } from '../tokens.ts'
import { startRedis } from './brokers.ts'
import { definitions, tasks as jobs, PROGRAM } from './worker.ts'

const broker = await startRedis({ after })
let databases = 0

/** Settings of servers that belong together. */
function sharedEnv(): NodeJS.ProcessEnv {
  const url = `${broker.url}/${databases++}`
  return { TASKS_URL: url, BUS_URL: url }
}

/** A web process in this one, and a worker that can be killed. */
async function startBoth(t: TestContext, more: NodeJS.ProcessEnv = {}) {
  const env = { ...sharedEnv(), ...more }
  const web = await startApp(t, { ...env, ROLE: 'web' }, { definitions })
  const worker = await spawnServer(t, { ...env, ROLE: 'worker' }, PROGRAM)
  return { env, web, worker, file: join(await temporaryFolder(t), 'runs.txt') }
}

test('what a web process accepts, a worker does; each server shows it, its progress and its end', async (t) => {
  const { opened, open } = latch()
  const slow = defineTask('slow', async (n: number, context) => {
    context.progress(0.5, 'half')
    await opened
    return { n }
  })
  const env = sharedEnv()
  const [a, b] = await Promise.all(
    ['web', 'web'].map((ROLE) => startApp(t, { ...env, ROLE }, { definitions: [slow] })),
  )
  const socket = await connectSocket(t, b!.url, { user: 'bob' })

  const { id } = await a!.tasks.add(slow, 7)
  const first = await socket.ask({ type: 'subscribe', topic: `task:${id}` })
  assert.equal(first.type, 'ok')
  assert.equal((await socket.nextOf('message')).data.state, 'queued')
  await startApp(t, { ...env, ROLE: 'worker' }, { definitions: [slow] })

  let task: Json
  do task = (await socket.nextOf('message')).data
  while (task.progress === null)
  assert.deepEqual(
    [task.state, task.progress, task.note, task.attempt],
    ['running', 0.5, 'half', 1],
  )
  open()
  do task = (await socket.nextOf('message')).data
  while (!task.endedAt)
  assert.deepEqual([task.state, task.result], ['succeeded', { n: 7 }])
  assert.deepEqual(await b!.tasks.find(id), task)
  const reply = await fetch(`${b!.url}/tasks/${id}/result`)
  assert.deepEqual(await reply.json(), { n: 7 })
})

test('ROLE=web does no task, ROLE=worker answers probes only', async (t) => {
  const env = sharedEnv()
  const web = await startApp(t, { ...env, ROLE: 'web' })
  const { id } = await jsonOf(post(`${web.url}/process`, {}))
  const worker = await startApp(t, { ...env, ROLE: 'worker' })
  await until(async () => (await web.tasks.find(id))?.state === 'succeeded')

  for (const path of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await fetch(worker.url + path)).status, 200)
  }
  for (const path of ['/', '/tasks', `/tasks/${id}`, '/ws', '/echo.html']) {
    assert.equal((await fetch(worker.url + path)).status, 404, path)
  }
  assert.equal((await post(`${worker.url}/process`, {})).status, 404)
  await assert.rejects(connectSocket(t, worker.url), (status) => status === 404)
  const figures = async (url: string) => (await fetch(`${url}/metrics`)).text()
  assert.match(
    await figures(worker.url),
    /^meanwhile_tasks_ended_total{.*write-log.*succeeded"} 1$/m,
  )
  assert.match(await figures(web.url), /^meanwhile_tasks_ended_total{.*write-log.*succeeded"} 0$/m)
})

test('a plain function runs in the process that accepted it, whatever its role', async (t) => {
  const env = sharedEnv()
  const web = await startApp(t, { ...env, ROLE: 'web' })
  await startApp(t, { ...env, ROLE: 'worker' })
  const { id } = await web.tasks.add(() => 'here')
  await until(async () => (await web.tasks.find(id))?.endedAt)
  assert.equal((await web.tasks.find(id))?.result, 'here')
})

test('a list has the tasks of this process, then those of all, page by page', async (t) => {
  const env = sharedEnv()
  const [a, b] = await Promise.all([startApp(t, env), startApp(t, env)])
  const number = defineTask('number', (n: number) => n)
  for (let n = 0; n < 5; n++) await (n % 2 === 0 ? a : b).tasks.add(number, n)
  for (let n = 5; n < 8; n++) await a.tasks.add(() => n)
  await a.tasks.idle()

  const results: unknown[] = []
  for (let next: string | null = ''; next !== null; ) {
    const page: Json = await jsonOf(fetch(`${a.url}/tasks?limit=3${next && `&after=${next}`}`))
    results.push(...page.tasks.map(({ result }: Json) => result))
    next = page.next
  }
  assert.deepEqual(results, [7, 6, 5, 4, 3, 2, 1, 0])
  assert.equal((await b.tasks.list({ limit: 100 })).tasks.length, 5)
  const failed = await b.tasks.list({ limit: 100, state: 'failed' })
  assert.deepEqual(failed, { tasks: [], next: null })
})

test('a cancel on one server reaches the process that runs the task', async (t) => {
  const { env, web, file } = await startBoth(t)
  const other = await startApp(t, { ...env, ROLE: 'web' })
  const { id } = await web.tasks.add(jobs.long, { file })
  await until(async () => (await other.tasks.find(id))?.state === 'running')

  const reply = await fetch(`${other.url}/tasks/${id}`, { method: 'DELETE' })
  assert.equal(reply.status, 202)
  await until(async () => (await web.tasks.find(id))?.state === 'cancelled') // 60 s otherwise
  assert.equal((await web.tasks.find(id))?.cancelling, false)
})

test('a timeout holds in the process that runs the task; one that goes on shows it', async (t) => {
  const { web, file } = await startBoth(t)
  const { id } = await web.tasks.add(jobs.long, { file }, { timeout: 50 })
  const deaf = await web.tasks.add(jobs.deaf, { file }, { timeout: 50 })
  await until(async () => (await web.tasks.find(id))?.endedAt)
  assert.equal((await web.tasks.find(id))?.error?.name, 'TimeoutError')
  await until(async () => (await web.tasks.find(deaf.id))?.cancelling)
  assert.equal((await web.tasks.find(deaf.id))?.state, 'running')
})

test('T19: one key is one task on all servers; for something else it is refused on each', async (t) => {
  const env = sharedEnv()
  const [a, b] = await Promise.all([startApp(t, env), startApp(t, env)])
  const send = (url: string, body: Json) => post(`${url}/process`, body, { 'idempotency-key': 'k' })
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, n) => send((n % 2 === 0 ? a : b).url, { n: 1 })),
  )
  const answers = await Promise.all(replies.map((reply) => reply.text()))
  assert.equal(new Set(answers).size, 1)
  assert.equal((await send(b.url, { n: 2 })).status, 422)
  assert.equal((await send(a.url, { n: 2 })).status, 422)
  await a.tasks.idle()
  assert.equal((await a.tasks.list({ limit: 10 })).tasks.length, 1)
})

test('the bounds are those of all servers: of the queue, and of one user', async (t) => {
  const env = { ...sharedEnv(), CAPACITY: '8', ROLE: 'web' }
  const [a, b] = await Promise.all([startGuarded(t, env), startGuarded(t, env)])
  const send = async (url: string, user: string) =>
    (await post(`${url}/process`, {}, as(user))).status
  assert.deepEqual(
    [await send(a.url, 'alice'), await send(b.url, 'alice'), await send(b.url, 'alice')],
    [202, 202, 429],
  )
  for (const user of ['bob', 'carol', 'dave']) {
    assert.deepEqual([await send(a.url, user), await send(b.url, user)], [202, 202])
  }
  assert.equal(await send(a.url, 'erin'), 503)
})

test('who may see a task may on each server, others on none', async (t) => {
  const env = { ...sharedEnv(), ROLE: 'web' }
  const [a, b] = await Promise.all([startGuarded(t, env), startGuarded(t, env)])
  const { id } = await jsonOf(post(`${a.url}/process`, {}, as('alice')))
  const statusFor = async (user: string) =>
    (await fetch(`${b.url}/tasks/${id}`, { headers: as(user) })).status
  assert.deepEqual([await statusFor('alice'), await statusFor('bob')], [200, 404])
  const listOf = async (user: string) =>
    (await jsonOf(fetch(`${b.url}/tasks`, { headers: as(user) }))).tasks.length
  assert.deepEqual([await listOf('alice'), await listOf('bob')], [1, 0])
})

test('a notification that a worker sends reaches the user on whatever server', async (t) => {
  const env = sharedEnv()
  const web = await startApp(t, { ...env, ROLE: 'web' })
  await startApp(t, { ...env, ROLE: 'worker' })
  const socket = await connectSocket(t, web.url, { user: 'bob' })
  await socket.ask({ type: 'subscribe', topic: 'user:bob' })
  await post(`${web.url}/notify/bob?user=alice`, { message: randomUUID() })
  assert.equal((await socket.nextOf('message')).data.from, 'alice')
})

test('a large result, and one of bytes, come from each server; the oldest are let go of', async (t) => {
  const env = sharedEnv()
  const big = defineTask('big', (n: number) => new Uint8Array(4 * 1_048_576).fill(n))
  const text = defineTask('text', (length: number) => 'x'.repeat(length))
  const [a, b] = await Promise.all([
    startApp(t, env, { definitions: [big, text] }),
    startApp(t, { ...env, ROLE: 'web' }),
  ])
  const first = await a.tasks.add(big, 0)
  const middle = await a.tasks.add(text, 2_000)
  await a.tasks.idle()
  assert.equal((await b.tasks.find(middle.id))?.result, 'x'.repeat(2_000))
  for (let n = 1; n <= 15; n++) await a.tasks.add(big, n)
  const last = await a.tasks.add(big, 16)
  await a.tasks.idle()

  const statusOf = async (id: string) => (await fetch(`${b.url}/tasks/${id}/result`)).status
  assert.deepEqual([await statusOf(first.id), await statusOf(last.id)], [410, 200])
  const shown = async (id: string) => (await b.tasks.find(id))?.result
  assert.deepEqual(
    [await shown(first.id), await shown(last.id)],
    [null, { type: 'application/octet-stream', bytes: 4 * 1_048_576 }],
  )
})

test('so many that succeeded are remembered, and so many that did not', async (t) => {
  const { tasks } = await startApp(t, { ...sharedEnv(), KEEP: '2' })
  const work = defineTask('work', (isBad: boolean) => {
    if (isBad) throw new Error('no')
  })
  for (const isBad of [true, true, true, false, false, false]) await tasks.add(work, isBad)
  await tasks.idle()
  const { tasks: kept } = await tasks.list({ limit: 10 })
  assert.deepEqual(
    kept.map(({ state }) => state),
    ['succeeded', 'succeeded', 'failed', 'failed'],
  )
})

test('a role without TASKS_URL is one line that says so, and exit code 1', async (t) => {
  const { line, exited } = spawnProgram(t, { ROLE: 'web' }, ['--import', 'tsx', 'server.ts'])
  await line('ROLE must be all without TASKS_URL, got "web"')
  assert.equal(await exited, 1)
})

test('a ticket of one server lets in on another', async (t) => {
  const env = sharedEnv()
  const [a, b] = await Promise.all([startGuarded(t, env), startGuarded(t, env)])
  const { ticket } = await jsonOf(post(`${a.url}/ticket`, undefined, as('alice')))
  const socket = await connectSocket(t, b.url, { query: `ticket=${ticket}` })
  assert.equal((await socket.ask({ type: 'subscribe', topic: 'user:alice' })).type, 'ok')
})
