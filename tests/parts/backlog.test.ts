import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Journal } from '../../lib/journal.ts'
import { Metrics } from '../../lib/metrics.ts'
import { defineTask, QueueFullError, QuotaExceededError, TaskQueue } from '../../tasks.ts'
import { fail, latch, silent, temporaryFolder, until } from '../basics.ts'

const bounds = { concurrency: 2, capacity: 8, capacityPerOwner: 2, keep: 100, log: silent }

const alice = { owner: 'alice' }
const isOver = (error: unknown) => error instanceof QuotaExceededError
const noop = () => {}

/** How many more tasks alice may have. */
async function roomIn(tasks: TaskQueue): Promise<number> {
  for (let room = 0; ; room++) {
    const added = await tasks.add(noop, undefined, { ...alice, delay: 60_000 }).catch(() => null)
    if (added) continue
    for (const { id } of (await tasks.list({ owner: 'alice', state: 'queued', limit: 100 })).tasks)
      await tasks.cancel(id)
    return room
  }
}

test('an owner has so many tasks and no more; others, and tasks of nobody, have room', async () => {
  const tasks = new TaskQueue(bounds)
  const { opened, open } = latch()
  await tasks.add(() => opened, undefined, alice)
  await tasks.add(() => opened, undefined, alice)
  await assert.rejects(tasks.add(noop, undefined, alice), isOver)
  await tasks.add(noop, undefined, { owner: 'bob' })
  await tasks.add(noop)
  open()
  await tasks.idle()
  assert.equal(await roomIn(tasks), 2)
})

test('a full queue is a full queue, however few of the tasks are one’s own', async () => {
  const tasks = new TaskQueue({ ...bounds, capacity: 1, capacityPerOwner: 1 })
  const { opened, open } = latch()
  await tasks.add(() => opened)
  await assert.rejects(tasks.add(noop, undefined, alice), QueueFullError)
  open()
  await tasks.idle()
})

test('however a task ends, its owner has the room back', async () => {
  const tasks = new TaskQueue({ ...bounds, concurrency: 1 })
  const run = async (work: (payload: undefined, context: { signal: AbortSignal }) => unknown) => {
    await tasks.add(work, undefined, { ...alice, attempts: 2, backoff: 0, timeout: 5 })
    await tasks.idle()
  }
  await run(noop)
  await run(() => fail(new Error('no')))
  await run((_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)))
  const { opened, open } = latch()
  const running = await tasks.add(() => opened, undefined, alice)
  const waiting = await tasks.add(noop, undefined, alice)
  await until(async () => (await tasks.find(running.id))?.state === 'running')
  await tasks.cancel(waiting.id)
  await tasks.cancel(running.id)
  await tasks.cancel(running.id)
  open()
  await tasks.idle()
  assert.equal(await roomIn(tasks), 2)
})

test('a retry counts like a new task, and is refused like one', async () => {
  const tasks = new TaskQueue(bounds)
  const { id } = await tasks.add(() => fail(new Error('no')), undefined, alice)
  await tasks.idle()
  const { opened, open } = latch()
  await tasks.add(() => opened, undefined, alice)
  await tasks.add(() => opened, undefined, alice)
  await assert.rejects(tasks.retry(id), isOver)
  assert.equal((await tasks.find(id))?.state, 'failed')
  open()
  await tasks.idle()
  assert.equal((await tasks.retry(id))?.state, 'queued')
  await tasks.idle()
  assert.equal(await roomIn(tasks), 2)
})

test('a repeated key is no second task, also for who may have no more', async () => {
  const tasks = new TaskQueue({ ...bounds, capacityPerOwner: 1 })
  const { opened, open } = latch()
  const add = () => tasks.add(() => opened, undefined, { ...alice, key: 'k' })
  assert.equal((await add()).id, (await add()).id)
  open()
  await tasks.idle()
})

const work = defineTask('work', (kind: string) => (kind === 'fail' ? fail(new Error('no')) : 42))

async function openQueue(t: TestContext, path: string, copyOf?: string): Promise<TaskQueue> {
  if (copyOf) await writeFile(path, await readFile(copyOf))
  const journal = await Journal.open(path, { log: silent, metrics: new Metrics() })
  t.after(() => journal.close())
  const tasks = new TaskQueue({ ...bounds, journal, definitions: [work] })
  t.after(() => tasks.drain(100))
  return tasks
}

test('after a restart a task has its owner, and those that have not ended count', async (t) => {
  const folder = await temporaryFolder(t)
  const [first, second] = [join(folder, 'first'), join(folder, 'second')]
  const before = await openQueue(t, first)
  const ended = await before.add(work, 'ok', alice)
  await before.idle()
  const waiting = await before.add(work, 'ok', { ...alice, delay: 60_000 })
  await before.add(work, 'ok', { ...alice, delay: 60_000 })
  await before.add(work, 'ok')

  const after = await openQueue(t, second, first)
  assert.equal((await after.find(ended.id, 'alice'))?.state, 'succeeded')
  assert.equal(await after.find(ended.id, 'bob'), undefined)
  await assert.rejects(after.add(work, 'ok', alice), isOver)
  after.resume()
  await after.cancel(waiting.id)
  assert.equal(await roomIn(after), 1) // the other one is still waiting
})

test('a task that the disk did not take leaves its owner the room', async (t) => {
  const folder = join(await temporaryFolder(t), 'sub')
  const tasks = await openQueue(t, join(folder, 'journal'))
  const { id } = await tasks.add(work, 'fail', alice)
  await tasks.idle()
  await rm(folder, { recursive: true })

  for (let i = 0; i < 5; i++) {
    await assert.rejects(tasks.add(work, 'ok', alice), QueueFullError)
    await assert.rejects(tasks.retry(id), QueueFullError)
  }
  assert.equal(await roomIn(tasks), 2) // of plain functions, which need no disk
  assert.deepEqual(await readdir(join(folder, '..')), [])
})

test('a journal from before there were owners still loads: its tasks are nobody’s', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'journal')
  const before = await openQueue(t, path)
  const { id } = await before.add(work, 'ok')
  await before.idle()
  await until(async () => /succeeded/.test(await readFile(path, 'utf8'))) // written behind its end
  assert.doesNotMatch(await readFile(path, 'utf8'), /owner/)
  const after = await openQueue(t, join(folder, 'copy'), path)
  assert.equal((await after.find(id))?.state, 'succeeded')
  assert.equal(await after.find(id, 'alice'), undefined)
  assert.deepEqual((await after.list({ owner: '', limit: 10 })).tasks, [])
})

test('an owner that is no name is refused, and so is a bound that is none', async () => {
  const tasks = new TaskQueue(bounds)
  await assert.rejects(tasks.add(noop, undefined, { owner: 'a b' }), TypeError)
  await assert.rejects(tasks.add(noop, undefined, { owner: '' }), TypeError)
  assert.throws(() => new TaskQueue({ ...bounds, capacityPerOwner: 0 }), RangeError)
  assert.equal(tasks.size, 0)
})

test('an owner is told with each change, and not shown in the task', async () => {
  const owners = new Set<unknown>()
  const tasks = new TaskQueue({ ...bounds, onChange: ({ owner }) => owners.add(owner) })
  const task = await tasks.add(noop, undefined, alice)
  await tasks.idle()
  assert.deepEqual([...owners], ['alice'])
  assert.ok(!('owner' in task))
})
