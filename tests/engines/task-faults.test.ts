// What becomes of tasks when their Redis is absent, dies, is silent or empty, and when a worker does or is:
// rows R1 to R16 of the catalogue, as far as they are about tasks. Processes are really killed.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog } from '../../lib/log.ts'
import type { App } from '../../server.ts'
import type { Task } from '../../tasks.ts'
import {
  connectSocket,
  type Json,
  jsonOf,
  post,
  spawnServer,
  startApp,
  temporaryFolder,
  until,
} from '../helpers.ts'
import { ask, type Broker, startRedis } from './brokers.ts'
import { definitions, tasks as jobs, PROGRAM } from './worker.ts'

const KEPT = ['--appendonly', 'yes'] // a Redis that has after a kill what it had before

const statusOf = async (url: string) => (await fetch(url)).status
const isReady = async (url: string) => (await statusOf(`${url}/readyz`)) === 200
const submit = (url: string, body: Json = {}, headers = {}) => post(`${url}/process`, body, headers)

const startWeb = (t: TestContext, { url }: Broker, env: NodeJS.ProcessEnv = {}): Promise<App> =>
  startApp(t, { TASKS_URL: url, ROLE: 'web', ...env }, { definitions })

/** A worker as a process, which is taken for dead when it was silent for so many seconds. */
const startWorker = (t: TestContext, { url }: Broker, seconds = 1) =>
  spawnServer(t, { TASKS_URL: url, ROLE: 'worker', LOCK_SECONDS: String(seconds) }, PROGRAM)

/** What the jobs have written: the task, the process and the attempt of each run. */
async function runs(file: string): Promise<string[][]> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' '))
}

async function placeOf(t: TestContext): Promise<{ file: string }> {
  return { file: join(await temporaryFolder(t), 'runs.txt') }
}

async function refused(url: string): Promise<void> {
  const reply = await submit(url)
  assert.equal(reply.status, 503)
  assert.equal(reply.headers.get('retry-after'), '1')
}

/** It takes less than so many milliseconds: once in three times, since the machine may be busy. */
async function isQuick(milliseconds: number, attempt: () => Promise<number>): Promise<boolean> {
  for (let times = 0; times < 3; times++) if ((await attempt()) < milliseconds) return true
  return false
}

async function timed(action: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await action()
  return performance.now() - began
}

test('R1: without Redis at the start a server says so, refuses tasks with 503, and takes them when it comes', async (t) => {
  const broker = await startRedis(t)
  await broker.kill()
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line))
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url }, { log })

  assert.ok(lines.some((line) => line.includes('Redis is away')))
  assert.equal(await statusOf(`${url}/healthz`), 200)
  assert.equal(await statusOf(`${url}/readyz`), 503)
  assert.equal(await statusOf(`${url}/tasks`), 503)
  await refused(url)
  const { id } = await tasks.add(() => 'here')
  await until(async () => (await tasks.find(id))?.endedAt) // needs no Redis

  await broker.start()
  await until(() => isReady(url))
  assert.equal((await submit(url)).status, 202)
  await tasks.idle()
  const { tasks: all } = await tasks.list({ limit: 10, name: 'write-log' })
  assert.deepEqual(
    all.map(({ state }) => state),
    ['succeeded'],
  )
})

test('R2, R3: while Redis is dead tasks are refused at once; when it is back, those it has are done, and others are taken', async (t) => {
  const broker = await startRedis(t, ...KEPT)
  const { url, tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  const { id } = await tasks.add(jobs.quick, place)
  const socket = await connectSocket(t, url)
  await socket.ask({ type: 'subscribe', topic: `task:${id}` })

  await broker.kill()
  await until(async () => !(await isReady(url)))
  // Sooner than an answer would be waited for: none can come.
  assert.ok(await isQuick(500, () => timed(() => refused(url))))
  assert.equal(await statusOf(`${url}/healthz`), 200)
  assert.equal(await statusOf(`${url}/tasks/${id}`), 503)
  assert.equal((await socket.ask({ type: 'subscribe', topic: 'tasks' })).code, 'unavailable')

  await broker.start()
  await until(() => isReady(url))
  const worker = await startWorker(t, broker)
  let task: Json
  do task = (await socket.nextOf('message')).data
  while (!task.endedAt)
  assert.equal(task.state, 'succeeded')
  const after = await tasks.add(jobs.quick, place)
  await until(async () => (await tasks.find(after.id))?.state === 'succeeded')

  await broker.kill()
  await until(async () => !(await isReady(worker.url)))
  await broker.start()
  await until(() => isReady(worker.url))
  await until(() => isReady(url))
  const last = await tasks.add(jobs.quick, place)
  await until(async () => (await tasks.find(last.id))?.state === 'succeeded')
})

test('R3: a task that ends while Redis is away has ended when it is back', async (t) => {
  const broker = await startRedis(t, ...KEPT)
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url }, { definitions })
  const place = await placeOf(t)
  const { id } = await tasks.add(jobs.blocking, { ...place, milliseconds: 0 })
  await tasks.idle()
  const slow = await tasks.add(jobs.short, place)
  await until(async () => (await runs(place.file)).length === 2)
  await broker.kill()
  await delay(100) // it ends meanwhile
  await broker.start()
  await until(() => isReady(url))
  await until(async () => (await tasks.find(slow.id))?.state === 'succeeded')
  assert.equal((await tasks.find(id))?.state, 'succeeded')
  assert.equal((await runs(place.file)).length, 2)
})

test('R4: while Redis is silent tasks are refused within a second; when it goes on, so do they', async (t) => {
  const broker = await startRedis(t)
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url })
  const beSilent = async () => {
    broker.pause()
    const taken = await timed(() => refused(url))
    await until(async () => !(await isReady(url)))
    broker.goOn()
    await until(() => isReady(url))
    return taken
  }
  assert.ok(await isQuick(1_000, beSilent))
  assert.equal((await submit(url, { n: 2 })).status, 202)
  await tasks.idle()
})

test('R5: a task that Redis took without answering, and that is sent again with its key, is there once', async (t) => {
  const broker = await startRedis(t)
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url })
  const send = () => submit(url, { n: 1 }, { 'idempotency-key': 'k' })
  broker.pause()
  assert.equal((await send()).status, 503)
  assert.equal((await send()).status, 503)
  broker.goOn()
  await until(() => isReady(url))
  const first = await send()
  assert.equal(first.status, 202)
  assert.deepEqual(await jsonOf(send()), await jsonOf(first))
  await tasks.idle()
  assert.equal((await tasks.list({ limit: 10 })).tasks.length, 1)
})

test('R6: a worker that is killed in the middle of a task: another one does it, and that costs no attempt', async (t) => {
  const broker = await startRedis(t)
  const { tasks } = await startWeb(t, broker, { LOCK_SECONDS: '1' })
  const place = await placeOf(t)
  const first = await startWorker(t, broker)
  const { id } = await tasks.add(jobs.long, place)
  await until(async () => (await runs(place.file)).length === 1)
  first.child.kill('SIGKILL')
  const second = await startWorker(t, broker)
  await second.line('task interrupted')
  await until(async () => (await runs(place.file)).length === 2)

  const [before, after] = await runs(place.file)
  assert.deepEqual([before![0], after![0]], [id, id])
  assert.deepEqual([before![1], after![1]], [String(first.child.pid), String(second.child.pid)])
  assert.deepEqual([before![2], after![2]], ['1', '1'])
  await tasks.cancel(id)
  await until(async () => (await tasks.find(id))?.state === 'cancelled')
})

test('R6: a task that takes its process down is given up after five times, and no other with it', async (t) => {
  const broker = await startRedis(t)
  const { tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  const deadly = await tasks.add(jobs.deadly, place, { attempts: 3 })
  const other = await tasks.add(jobs.quick, place)
  for (;;) {
    const { exited, child } = await startWorker(t, broker, 0.3)
    const isOver = async () => (await tasks.find(deadly.id))?.endedAt ?? child.signalCode
    await until(isOver)
    if (child.signalCode === null) break
    await exited
  }
  await until(async () => (await tasks.find(other.id))?.state === 'succeeded')

  const { state, error } = (await tasks.find(deadly.id))!
  assert.equal(state, 'failed')
  assert.deepEqual(error, {
    name: 'InterruptedError',
    message: 'the process died 5 times while the task ran',
  })
  const ends = (await runs(place.file)).filter(([task]) => task === deadly.id)
  assert.equal(ends.length, 5)
})

test('R7: a worker that is blocked for longer than it is waited for: the task runs twice, and has one end', async (t) => {
  const broker = await startRedis(t)
  const { tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  const { url } = broker
  const env = { TASKS_URL: url, ROLE: 'worker', LOCK_SECONDS: '0.5' }
  const workers = [await spawnServer(t, env, PROGRAM), await spawnServer(t, env, PROGRAM)]
  const { id } = await tasks.add(jobs.blocking, { ...place, milliseconds: 3_000 })
  await until(async () => (await tasks.find(id))?.endedAt)
  await until(async () => (await runs(place.file)).length === 2)
  const pids = (await runs(place.file)).map(([, pid]) => Number(pid))
  assert.equal(new Set(pids).size, 2, 'each worker once')
  for (const worker of workers) await until(() => isReady(worker.url))

  const { state, result } = (await tasks.find(id))!
  assert.equal(state, 'succeeded')
  assert.ok(pids.includes(result as number))
})

test('R8: an event of a task that comes twice is told once', async (t) => {
  const broker = await startRedis(t)
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url }, { definitions })
  const socket = await connectSocket(t, url)
  const place = await placeOf(t)
  const { id } = await tasks.add(jobs.quick, place)
  await tasks.idle()
  await socket.ask({ type: 'subscribe', topic: 'tasks' })
  const told: Json[] = []
  socket.socket.on('message', (text) => {
    const { type, data } = JSON.parse(String(text))
    if (type === 'message') told.push(...data)
  })
  const toldOf = (one: string) => told.filter((task) => task.id === one)
  const event = (name: string) =>
    ask(broker, `XADD meanwhile:any:events * event ${name} jobId ${id} prev active`)
  await event('active')
  await delay(200) // longer than changes are collected
  await event('active')
  await event('active')
  await delay(200)

  const later = await tasks.add(jobs.quick, place) // its events stand behind those
  await until(() => toldOf(later.id).some(({ state }) => state === 'succeeded'))
  assert.ok(toldOf(id).length <= 1)
})

test('R11: a Redis whose memory is full refuses tasks, which is a 503, and the server is not ready', async (t) => {
  const broker = await startRedis(t, '--maxmemory-policy', 'noeviction')
  const { url, tasks } = await startWeb(t, broker)
  await ask(broker, 'CONFIG SET maxmemory 1')
  await refused(url)
  assert.equal(await statusOf(`${url}/readyz`), 503)

  await ask(broker, 'CONFIG SET maxmemory 0')
  await until(() => isReady(url))
  const { id } = await jsonOf(submit(url))
  assert.equal((await tasks.find(id))?.state, 'queued')
})

test('R12: after FLUSHALL tasks are unknown, and a worker that has one goes on', async (t) => {
  const broker = await startRedis(t)
  const { url, tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  const worker = await startWorker(t, broker)
  const { id } = await tasks.add(jobs.short, place)
  const waiting = await tasks.add(jobs.long, place, { delay: 60_000 })
  await until(async () => (await runs(place.file)).length === 1)

  await ask(broker, 'FLUSHALL')

  for (const gone of [id, waiting.id]) assert.equal(await statusOf(`${url}/tasks/${gone}`), 404)
  const after = await tasks.add(jobs.quick, place)
  await until(async () => (await tasks.find(after.id))?.state === 'succeeded')
  assert.equal(worker.child.exitCode, null)
})

test('R15: a task that a worker does not know is failed, with all that is needed to retry it', async (t) => {
  const broker = await startRedis(t)
  const { url, tasks } = await startApp(t, { TASKS_URL: broker.url, ROLE: 'web' }, { definitions })
  const place = await placeOf(t)
  const old = await spawnServer(t, { TASKS_URL: broker.url, ROLE: 'worker' }) // has no such definition
  const { id } = await tasks.add(jobs.quick, place, { attempts: 3 })
  await until(async () => (await tasks.find(id))?.endedAt)
  const { state, attempt, error } = (await tasks.find(id))!
  assert.deepEqual([state, attempt], ['failed', 1])
  assert.match(error!.message, /unknown task "quick"/)
  assert.equal(old.child.exitCode, null)

  old.child.kill('SIGTERM')
  assert.equal(await old.exited, 0)
  await startWorker(t, broker)
  assert.equal((await post(`${url}/tasks/${id}/retry`)).status, 202)
  await until(async () => (await tasks.find(id))?.state === 'succeeded')
})

test('R16: a worker that is stopped lets its tasks end; what does not is put back at once, what does not listen is left to the others', async (t) => {
  const broker = await startRedis(t)
  const { tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  const env = { TASKS_URL: broker.url, ROLE: 'worker', LOCK_SECONDS: '1', DRAIN_SECONDS: '2' }
  const worker = await spawnServer(t, env, PROGRAM)
  const ids: string[] = []
  for (const job of [jobs.short, jobs.long, jobs.deaf]) ids.push((await tasks.add(job, place)).id)
  await until(async () => (await runs(place.file)).length === 3)

  worker.child.kill('SIGTERM')
  assert.equal(await worker.exited, 0, 'nothing is lost')
  const states = await Promise.all(ids.map(async (id) => (await tasks.find(id))?.state))
  assert.deepEqual(states, ['succeeded', 'queued', 'running'])

  await startWorker(t, broker)
  await until(async () => (await runs(place.file)).length === 5)
  const attempts = (await runs(place.file)).map(([, , attempt]) => attempt)
  assert.deepEqual(attempts, ['1', '1', '1', '1', '1'])
  for (const id of ids.slice(1)) await tasks.cancel(id)
})

test('a task that waits for its reply is done although its server dies before', async (t) => {
  const broker = await startRedis(t)
  const web = await startWeb(t, broker, { LOCK_SECONDS: '1' })
  const { tasks } = await startWeb(t, broker)
  const place = await placeOf(t)
  await startWorker(t, broker)
  const never = new Promise(() => {})
  const { id } = await web.tasks.add(jobs.quick, place, { after: never })
  await delay(2_000) // as long as the server lives, it waits
  assert.equal((await tasks.find(id))?.state, 'queued')
  await web.close(100)
  await until(async () => (await tasks.find(id))?.state === 'succeeded')
})

const LOCK = 2 // seconds

test('of 1,000 tasks that two servers accept while workers are killed at random, each ends; twice ran only what was interrupted', async (t) => {
  const broker = await startRedis(t)
  const webs = [await startWeb(t, broker), await startWeb(t, broker)]
  const place = await placeOf(t)
  let isOver = false
  const killed = new Set<string>()
  const work = async () => {
    while (!isOver) {
      const { child, exited } = await startWorker(t, broker, LOCK)
      const pid = String(child.pid)
      const hasBegun = async () => (await runs(place.file)).some(([, one]) => one === pid)
      await until(async () => isOver || (await hasBegun()))
      await delay(Math.random() * 300)
      killed.add(pid)
      child.kill('SIGKILL')
      await exited
    }
  }
  const working = [work(), work()]

  const ids: string[] = []
  for (let i = 0; i < 1_000; i += 10) {
    const added = webs.flatMap(({ tasks }) =>
      Array.from({ length: 5 }, () => tasks.add(jobs.short, place)),
    )
    ids.push(...(await Promise.all(added)).map(({ id }) => id))
    await delay(5)
  }
  await until(() => killed.size >= 4)
  await startWorker(t, broker, LOCK) // the last ones are not killed
  const { tasks } = webs[0]!
  await tasks.idle()
  isOver = true
  await Promise.all(working)

  // As documented, who was there at five deaths is given up, and can be retried.
  const ended = await Promise.all(ids.map((id) => tasks.find(id)))
  const isGivenUp = (task?: Task) => task?.error?.name === 'InterruptedError'
  for (const task of ended.filter(isGivenUp)) await tasks.retry(task!.id)
  await tasks.idle()

  const states = await Promise.all(ids.map(async (id) => (await tasks.find(id))?.state))
  assert.deepEqual(new Set(states), new Set(['succeeded']))
  const pidsOf = new Map<string, string[]>(ids.map((id) => [id, []]))
  for (const [id, pid] of await runs(place.file)) pidsOf.get(id!)!.push(pid!)
  for (const pids of pidsOf.values()) assert.ok(pids.length > 0)
  const again = [...pidsOf.values()].filter(({ length }) => length > 1)
  assert.ok(again.length > 0, 'some were interrupted')
  for (const pids of again) for (const pid of pids.slice(0, -1)) assert.ok(killed.has(pid))
  t.diagnostic(`${again.length} ran again`)
})
