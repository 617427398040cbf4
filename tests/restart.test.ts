// What a task queue finds again after its process has ended, at any moment. The moment is a copy of
// the journal's file: what a process that was killed there would have left.

import assert from 'node:assert/strict'
import { copyFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Journal } from '../lib/journal.ts'
import { createLog, withFields } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import {
  type Definition,
  defineTask,
  QueueFullError,
  TaskQueue,
  type TaskQueueOptions,
} from '../tasks.ts'
import { fail, latch, silent, temporaryFolder, until } from './basics.ts'

interface Started {
  tasks: TaskQueue
  journal: Journal
  /** The same again, as it would be if the process were killed now and started anew. */
  crash(options?: Partial<TaskQueueOptions>): Promise<Started>
  path: string
}

let copies = 0

async function start(
  t: TestContext,
  options: Partial<TaskQueueOptions> = {},
  file?: string,
): Promise<Started> {
  const path = file ?? join(await temporaryFolder(t), 'tasks.journal')
  const metrics = new Metrics()
  const journal = await Journal.open(path, { log: silent, metrics })
  const bounds = { concurrency: 8, capacity: 100, keep: 100, log: silent }
  const tasks = new TaskQueue({ ...bounds, metrics, journal, ...options })
  t.after(async () => {
    await tasks.drain(20)
    await journal.close()
  })
  const crash = async (more: Partial<TaskQueueOptions> = {}) => {
    const copy = `${path}-${copies++}`
    await copyFile(path, copy)
    return start(t, { ...options, ...more }, copy)
  }
  tasks.resume()
  return { tasks, journal, crash, path }
}

const never = () => new Promise<never>(() => {})

test('J5: a task that was accepted and had not begun runs after a restart', async (t) => {
  const ran: unknown[] = []
  const note = defineTask('note', (payload: unknown) => void ran.push(payload))
  const before = await start(t, { definitions: [note] })
  const reply = latch()
  const { id, createdAt } = await before.tasks.add(note, { n: 1 }, { after: reply.opened })

  const { tasks } = await before.crash()
  await tasks.idle()
  assert.deepEqual(ran, [{ n: 1 }])
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.createdAt], ['succeeded', 1, createdAt])
  reply.open()
  await before.tasks.idle()
})

test('J6, J7: a task that had begun runs again, and the crash is not one of its attempts', async (t) => {
  let runs = 0
  const hold = latch()
  const work = defineTask('work', () => (++runs === 1 ? hold.opened : 'second run'))
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, undefined)
  await until(() => runs === 1)

  const { tasks } = await before.crash()
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.result], ['succeeded', 1, 'second run'])
  hold.open()
})

test('T21: the fifth interruption ends a task as failed, and it can be retried', async (t) => {
  let isCured = false
  let runs = 0
  const poison = defineTask('poison', () => (++runs && isCured ? 'well' : never()))
  let { tasks, crash } = await start(t, { definitions: [poison] })
  const { id } = await tasks.add(poison, undefined)
  for (let interruption = 1; interruption <= 5; interruption++) {
    await until(() => runs === interruption)
    ;({ tasks, crash } = await crash())
  }

  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.error?.name], ['failed', 'InterruptedError'])
  isCured = true
  await tasks.retry(id)
  await tasks.idle()
  assert.equal((await tasks.find(id))?.result, 'well')
})

test('interrupted tasks run again one at a time, beside the others', async (t) => {
  let hold = latch()
  let running = 0
  let most = 0
  const work = defineTask('work', async () => {
    most = Math.max(most, ++running)
    await hold.opened
    running--
  })
  const other = defineTask('other', () => 'ran')
  const before = await start(t, { definitions: [work, other], concurrency: 4 })
  for (let i = 0; i < 4; i++) await before.tasks.add(work, undefined)
  await until(() => running === 4)
  const firstHold = hold
  hold = latch()
  running = most = 0

  const { tasks } = await before.crash()
  const { id } = await tasks.add(other, undefined)
  await until(async () => (await tasks.find(id))?.endedAt)
  assert.equal(running, 1)
  hold.open()
  await tasks.idle()
  assert.equal(most, 1)
  firstHold.open()
})

test('a task that was cancelled while one like it is run again leaves its turn to the next', async (t) => {
  const started: string[] = []
  const work = defineTask('work', (name: string) => {
    started.push(name)
    return never()
  })
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, 'a')
  await before.tasks.add(work, 'b')
  await until(() => started.length === 2)
  const { tasks } = await before.crash({ concurrency: 1 })
  await tasks.cancel(id)
  await until(() => started.length === 3)
  assert.equal(started[2], 'b')
})

test('what had ended is still known: state, JSON result, error, key; bytes are no longer kept', async (t) => {
  const results = defineTask('results', (kind: string) => {
    if (kind === 'fails') throw new Error('as asked for')
    return kind === 'bytes' ? new Uint8Array(10) : { answer: 42 }
  })
  const before = await start(t, { definitions: [results], keep: 3 })
  await before.tasks.add(results, 'forgotten')
  await before.tasks.idle()
  const json = await before.tasks.add(results, 'json', { key: 'k' })
  const bytes = await before.tasks.add(results, 'bytes')
  const failed = await before.tasks.add(results, 'fails')
  await before.tasks.idle()
  const expected = await before.tasks.list({ limit: 10 })
  await before.journal.append({ id: 'the last one' }).synced.wait()

  const { tasks } = await before.crash()
  const found = await tasks.list({ limit: 10 })
  const withoutBytes = expected.tasks.map((task) =>
    task.id === bytes.id ? { ...task, result: null } : task,
  )
  assert.deepEqual(found.tasks, withoutBytes)
  assert.deepEqual((await tasks.find(json.id))?.result, { answer: 42 })
  assert.equal((await tasks.result(json.id))?.body, '{"answer":42}')
  assert.equal(await tasks.result(bytes.id), undefined)
  assert.equal((await tasks.find(failed.id))?.error?.message, 'as asked for')
  assert.equal((await tasks.add(results, 'json', { key: 'k' })).id, json.id)
  await assert.rejects(tasks.add(results, 'other', { key: 'k' }), { name: 'KeyReusedError' })
})

test('a cancel that was confirmed decides, also when the process dies before the function returns', async (t) => {
  const work = defineTask('work', never, { attempts: 3 })
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, undefined)
  await until(async () => (await before.tasks.find(id))?.state === 'running')
  await before.tasks.cancel(id)
  const { tasks } = await before.crash()
  assert.equal((await tasks.find(id))?.state, 'cancelled')
  assert.equal(tasks.size, 0)
})

test('a timeout counts as an attempt, also when the process dies before the function returns', async (t) => {
  const work = defineTask('work', never, { timeout: 1 })
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, undefined)
  await until(async () => (await before.tasks.find(id))?.cancelling)
  await before.journal.append({ id: 'the last one' }).synced.wait()
  const { tasks } = await before.crash()
  assert.equal((await tasks.find(id))?.error?.name, 'TimeoutError')
})

test('a cancel of one that waits, and a retry, are on disk when they are confirmed', async (t) => {
  const work = defineTask('work', () => fail(new Error('no')))
  const before = await start(t, { definitions: [work] })
  const waiting = await before.tasks.add(work, undefined, { delay: 60_000 })
  const failed = await before.tasks.add(work, undefined)
  await until(async () => (await before.tasks.find(failed.id))?.endedAt)
  await before.tasks.cancel(waiting.id)
  const reply = latch()
  await before.tasks.retry(failed.id, { after: reply.opened })

  const { tasks } = await before.crash({ concurrency: 1 })
  assert.equal((await tasks.find(waiting.id))?.state, 'cancelled')
  assert.equal((await tasks.find(failed.id))?.state, 'queued')
  reply.open()
})

test('a delay, a priority and a number of attempts are kept', async (t) => {
  const order: string[] = []
  const work = defineTask('work', (name: string) => void order.push(name))
  const before = await start(t, { definitions: [work] })
  const reply = latch()
  const after = reply.opened
  const { id, runAt } = await before.tasks.add(work, 'later', { delay: 60_000, attempts: 7 })
  await before.tasks.add(work, 'low', { after })
  await before.tasks.add(work, 'high', { after, priority: 9 })

  const { tasks } = await before.crash({ concurrency: 1 })
  await until(() => order.length === 2)
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.runAt, task?.attempts], ['queued', runAt, 7])
  assert.deepEqual(order, ['high', 'low'])
  reply.open()
})

test('a task whose name nobody knows any more is failed, and can be retried when somebody does', async (t) => {
  const work = defineTask('renamed', () => 'ran', { attempts: 3 })
  const before = await start(t, { definitions: [work] })
  const reply = latch()
  const { id } = await before.tasks.add(work, undefined, { after: reply.opened })

  const without = await before.crash({ definitions: [] })
  await without.tasks.idle()
  const task = await without.tasks.find(id)
  assert.deepEqual([task?.state, task?.name], ['failed', 'renamed'])
  assert.match(task!.error!.message, /unknown task "renamed"/)
  const { tasks } = await without.crash({ definitions: [work] })
  await tasks.retry(id)
  await tasks.idle()
  assert.equal((await tasks.find(id))?.result, 'ran')
  reply.open()
})

test('log lines after a restart still carry the id of the request', async (t) => {
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line), JSON.stringify)
  const work = defineTask('work', (_payload: undefined, { log }) => log.info('inside'))
  const before = await start(t, { definitions: [work] })
  const reply = latch()
  const after = reply.opened
  await withFields({ requestId: 'mine' }, () => before.tasks.add(work, undefined, { after }))
  const { tasks } = await before.crash({ log })
  await tasks.idle()
  const inside = lines.map((line) => JSON.parse(line)).find(({ message }) => message === 'inside')
  assert.equal(inside.requestId, 'mine')
  reply.open()
})

test('a plain function is not in the journal, and drain calls it lost', async (t) => {
  const before = await start(t)
  const { id } = await before.tasks.add(never)
  const { tasks } = await before.crash()
  assert.equal(await tasks.find(id), undefined)
  assert.deepEqual(
    (await before.tasks.drain(20)).map((task) => task.id),
    [id],
  )
})

test('drain lets what runs end, starts nothing that the journal has, and loses nothing', async (t) => {
  const hold = latch()
  let runs = 0
  const work = defineTask('work', async () => {
    runs++
    await hold.opened
  })
  const before = await start(t, { definitions: [work], concurrency: 1 })
  const first = await before.tasks.add(work, undefined)
  const second = await before.tasks.add(work, undefined)
  await until(() => runs === 1)
  const drained = before.tasks.drain(10_000)
  hold.open()
  assert.deepEqual(await drained, [])
  assert.equal(runs, 1)
  await before.journal.close()

  const { tasks } = await before.crash()
  assert.equal((await tasks.find(first.id))?.state, 'succeeded')
  await tasks.idle()
  assert.equal((await tasks.find(second.id))?.state, 'succeeded')
})

for (const [what, isCrash, interruptions] of [
  ['an abort by drain is neither an attempt nor an interruption', false, 0],
  ['an abort in a crash counts as an interruption', true, 1],
] as const) {
  for (const [how, work] of [
    ['obeys', (_: undefined, context: { sleep(ms: number): Promise<void> }) => context.sleep(1e6)],
    ['does not listen', never],
  ] as const) {
    test(`${what}, of a task that ${how}`, async (t) => {
      const definition: Definition<undefined> = defineTask('work', work, { attempts: 1 })
      const before = await start(t, { definitions: [definition] })
      const { id } = await before.tasks.add(definition, undefined)
      await until(async () => (await before.tasks.find(id))?.state === 'running')
      assert.deepEqual(await before.tasks.drain(50, isCrash), [])
      await before.journal.close()

      const metrics = new Metrics()
      const { tasks } = await before.crash({ metrics })
      await until(async () => (await tasks.find(id))?.state === 'running')
      assert.equal((await tasks.find(id))?.attempt, 1)
      const count = `meanwhile_task_interruptions_total{name="work"} ${interruptions}\n`
      assert.ok(metrics.text().includes(count))
    })
  }
}

test('X10: when the journal is closed, nothing is accepted, what runs goes on, what waits stays', async (t) => {
  const hold = latch()
  let runs = 0
  const work = defineTask('work', async () => {
    runs++
    await hold.opened
    return 'ended'
  })
  const { tasks, journal, path, crash } = await start(t, { definitions: [work], concurrency: 1 })
  const running = await tasks.add(work, undefined)
  const waiting = await tasks.add(work, undefined)
  await until(() => runs === 1)
  await rename(path, `${path}-away`)

  await assert.rejects(tasks.add(work, undefined, { key: 'k' }), QueueFullError)
  assert.match(tasks.problem!, /closed until a restart/)
  await assert.rejects(tasks.add(work, undefined), QueueFullError)
  await assert.rejects(tasks.cancel(waiting.id), QueueFullError)
  const plain = await tasks.add(() => 'is in no journal')
  hold.open()
  await until(async () => (await tasks.find(plain.id))?.endedAt)
  assert.equal((await tasks.find(running.id))?.result, 'ended')
  assert.equal((await tasks.find(waiting.id))?.state, 'queued')
  assert.deepEqual([runs, tasks.size], [1, 1])
  assert.deepEqual(await tasks.drain(1_000), [], 'what waits is safe in the journal')
  await journal.close()

  await rename(`${path}-away`, path)
  const after = await crash()
  await after.tasks.idle()
  for (const { id } of [running, waiting]) {
    assert.equal((await after.tasks.find(id))?.state, 'succeeded')
  }
})

test('an interrupted task that is cancelled and retried, while it waits its turn, runs once', async (t) => {
  const hold = latch()
  let runs: string[] = []
  const work = defineTask('work', (name: string) => {
    runs.push(name)
    return hold.opened
  })
  const before = await start(t, { definitions: [work] })
  const ids = new Map<string, string>()
  for (const name of ['a', 'b', 'c']) ids.set(name, (await before.tasks.add(work, name)).id)
  await until(() => runs.length === 3)
  runs = []

  const { tasks } = await before.crash()
  await until(() => runs.length === 1)
  const waiting = ['a', 'b', 'c'].find((name) => name !== runs[0])!
  await tasks.cancel(ids.get(waiting)!)
  await tasks.retry(ids.get(waiting)!)
  hold.open()
  await tasks.idle()
  assert.deepEqual(runs.toSorted(), ['a', 'b', 'c'])
  assert.equal(tasks.size, 0)
})

test('those that still wait to run again after a crash wait one at a time after the next one, too', async (t) => {
  let running = 0
  const work = defineTask('work', () => {
    running++
    return never()
  })
  const before = await start(t, { definitions: [work] })
  for (let i = 0; i < 5; i++) await before.tasks.add(work, undefined)
  await until(() => running === 5)
  let { crash } = before
  for (let crashes = 1; crashes <= 4; crashes++) {
    running = 0
    const after = await crash()
    await until(() => running === 1)
    const { id } = await after.tasks.add(() => {}) // what else would run has its turn before
    await until(async () => (await after.tasks.find(id))?.endedAt)
    assert.equal(running, 1, `after ${crashes} crashes`)
    crash = after.crash
  }
})

test('a key that was used again, after its first task was forgotten, is known after a restart', async (t) => {
  const work = defineTask('work', (n: number) => n)
  const before = await start(t, { definitions: [work], keep: 2 })
  const add = (n: number, key?: string) => before.tasks.add(work, n, key ? { key } : {})
  await add(1, 'k')
  for (const n of [2, 3]) await add(n)
  await before.tasks.idle()
  const { id } = await add(1, 'k')
  await before.tasks.idle()
  await before.journal.append({ id: 'the last one' }).synced.wait()
  const { tasks } = await before.crash()
  assert.equal((await tasks.add(work, 1, { key: 'k' })).id, id)
})

test('a cancel while the task, or its retry, is on its way to the disk counts, and once', async (t) => {
  const work = defineTask('work', (isBad: boolean) => isBad && fail(new Error('no')))
  const { tasks } = await start(t, { definitions: [work] })
  const adding = tasks.add(work, false)
  const [saved] = (await tasks.list({ limit: 1 })).tasks
  const [added, cancelled] = await Promise.all([adding, tasks.cancel(saved!.id)])
  await tasks.idle()
  const end = await tasks.find(added.id)
  assert.equal(end?.state, cancelled ? 'cancelled' : 'succeeded')

  const { id } = await tasks.add(work, true)
  await tasks.idle()
  const [retried, stopped] = await Promise.all([tasks.retry(id), tasks.cancel(id)])
  assert.ok(retried)
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, stopped ? 'cancelled' : 'failed')
  assert.equal(tasks.size, 0)
})

test('an attempt that timed out counts as one, also when its function returns during the drain', async (t) => {
  const work = defineTask('work', never, { attempts: 3, timeout: 1, backoff: 0 })
  const stubborn = defineTask(
    'stubborn',
    async (_payload: undefined, context) => {
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
      await new Promise((resolve) => setTimeout(resolve, 30))
    },
    { attempts: 3, timeout: 1, backoff: 60_000 },
  )
  const before = await start(t, { definitions: [work, stubborn] })
  const { id } = await before.tasks.add(stubborn, undefined)
  await until(async () => (await before.tasks.find(id))?.cancelling)
  await before.tasks.drain(1_000)
  await before.journal.close()
  const { tasks } = await before.crash()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.error?.name], ['queued', 1, 'TimeoutError'])
})

test('a delayed task that is cancelled has no time any more, and a retry does not wait', async (t) => {
  const work = defineTask('work', () => 'ran')
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, undefined, { delay: 3_600_000 })
  assert.equal((await before.tasks.cancel(id))?.runAt, null)
  const reply = latch()
  const retried = await before.tasks.retry(id, { after: reply.opened })
  assert.equal(retried?.runAt, null)
  const { tasks } = await before.crash()
  await tasks.idle()
  assert.equal((await tasks.find(id))?.result, 'ran')
  reply.open()
})

test('a retry and a cancel that the journal could not keep change nothing', async (t) => {
  const hold = latch()
  const failing = defineTask('failing', () => fail(new Error('no')))
  const begun = latch()
  const running = defineTask('running', async () => {
    begun.open()
    await hold.opened
    return 'ended'
  })
  const { tasks, path } = await start(t, { definitions: [failing, running] })
  const failed = await tasks.add(failing, undefined)
  const held = await tasks.add(running, undefined)
  await until(async () => (await tasks.find(failed.id))?.endedAt)
  await begun.opened
  await rename(path, `${path}-away`)

  const both = [tasks.retry(failed.id), tasks.cancel(held.id)]
  for (const asked of both) await assert.rejects(asked, QueueFullError)
  assert.equal((await tasks.find(failed.id))?.state, 'failed')
  assert.equal((await tasks.find(held.id))?.cancelling, false)
  hold.open()
  await tasks.idle()
  assert.equal((await tasks.find(held.id))?.result, 'ended')
})

test('a delay is no longer than it can be, should the clock have been set back since', async (t) => {
  const work = defineTask('work', () => 'ran')
  const before = await start(t, { definitions: [work] })
  const { id } = await before.tasks.add(work, undefined, { delay: 60_000 })
  const line = before.journal.append({ id, runAt: Date.now() + 1e12 } as { id: string })
  await line.synced.wait()
  const { tasks } = await before.crash() // `setTimeout` would fire at once for what is too long
  await tasks.add(() => {})
  await until(async () => (await tasks.list({ limit: 1 })).tasks[0]?.endedAt)
  assert.equal((await tasks.find(id))?.state, 'queued')
})

test('cancels and retries that wait for the disk together have their turns one by one', async (t) => {
  let live = 0
  let most = 0
  const work = defineTask('work', async () => {
    most = Math.max(most, ++live)
    await new Promise(setImmediate)
    live--
    throw new Error('no')
  })
  const { tasks } = await start(t, { definitions: [work] })
  const { id } = await tasks.add(work, undefined)
  await tasks.idle()
  for (let round = 0; round < 20; round++) {
    const retried = tasks.retry(id)
    await Promise.all([
      tasks.cancel(id),
      tasks.retry(id),
      tasks.cancel(id),
      tasks.retry(id),
      retried,
    ])
    await tasks.idle()
    assert.deepEqual([tasks.size, most], [0, 1])
  }
})

test('a repeated retry waits for the disk like the first, and is refused with it', async (t) => {
  const work = defineTask('work', () => fail(new Error('no')))
  const { tasks, path } = await start(t, { definitions: [work] })
  const { id } = await tasks.add(work, undefined)
  await tasks.idle()
  await rename(path, `${path}-away`)
  const asked = [tasks.retry(id, { key: 'k' }), tasks.retry(id, { key: 'k' }), tasks.cancel(id)]
  const answers = await Promise.allSettled(asked)
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  )
  assert.deepEqual([tasks.size, (await tasks.find(id))?.state], [0, 'failed'])
})
