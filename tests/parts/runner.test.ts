import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../lib/log.ts'
import { Metrics } from '../../lib/metrics.ts'
import {
  defineTask,
  NonRetryableError,
  QueueFullError,
  type Task,
  type TaskContext,
} from '../../tasks.ts'
import { fail, latch, until } from '../basics.ts'
import { alone, startQueue } from '../queue.ts'

const nothing = undefined

/** A function that throws in its first so many attempts. */
const flaky = (failures: number) => {
  let calls = 0
  return () => (++calls <= failures ? fail(new Error(`no ${calls}`)) : calls)
}

test(
  'T20: a task that fails twice and then succeeds shows it',
  alone('the newest state is told, not each'),
  async (t) => {
    const seen: Pick<Task, 'state' | 'attempt' | 'error'>[] = []
    const tasks = await startQueue(t, { onChange: (changed) => seen.push(changed.snapshot()) })
    const { id } = await tasks.add(flaky(2), nothing, { attempts: 3, backoff: 1 })
    await tasks.idle()

    const states = seen.map(({ state, attempt, error }) => [state, attempt, error?.message ?? null])
    const distinct = states.filter((state, i) => String(state) !== String(states[i - 1]))
    assert.deepEqual(distinct, [
      ['queued', 0, null],
      ['running', 1, null],
      ['queued', 1, 'no 1'],
      ['running', 2, null],
      ['queued', 2, 'no 2'],
      ['running', 3, null],
      ['succeeded', 3, null],
    ])
    assert.equal((await tasks.find(id))?.result, 3)
  },
)

test('attempts that are used up fail the task with the last error', async (t) => {
  const tasks = await startQueue(t)
  const { id } = await tasks.add(flaky(9), nothing, { attempts: 3, backoff: 0 })
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.attempts], ['failed', 3, 3])
  assert.equal(task?.error?.message, 'no 3')
})

test('a task that waits for its retry holds no slot, and says when it is due', async (t) => {
  const tasks = await startQueue(t, { concurrency: 1 })
  const work = () => fail(new Error('no'))
  const { id } = await tasks.add(work, nothing, { attempts: 2, backoff: 3_600_000 })
  const other = await tasks.add(() => 'ran')
  await until(async () => (await tasks.find(other.id))?.endedAt)

  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt], ['queued', 1])
  assert.ok(Date.parse(task!.runAt!) >= Date.parse(task!.startedAt!))
  await tasks.cancel(id)
  await tasks.idle()
})

test('a NonRetryableError fails at once, whatever is left', async (t) => {
  const tasks = await startQueue(t)
  const work = () => fail(new NonRetryableError('the address does not exist'))
  const { id } = await tasks.add(work, nothing, { attempts: 5, backoff: 0 })
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt], ['failed', 1])
  assert.equal(task?.error?.name, 'NonRetryableError')
})

test('an option for one task goes before its definition’s', async (t) => {
  const definition = defineTask('flaky', flaky(1), { attempts: 1, backoff: 0 })
  const tasks = await startQueue(t, { definitions: [definition] })
  const { id, attempts } = await tasks.add(definition, nothing, { attempts: 2 })
  await tasks.idle()
  assert.equal(attempts, 2)
  assert.equal((await tasks.find(id))?.state, 'succeeded')
})

test('T5: past its timeout a task that listens is failed, and its signal says why', async (t) => {
  const tasks = await startQueue(t)
  let reason: unknown
  const { id } = await tasks.add(
    async (_payload: undefined, context) => {
      await context.sleep(60_000).finally(() => {
        reason = context.signal.reason
      })
    },
    nothing,
    { timeout: 5 },
  )
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.error?.name], ['failed', 'TimeoutError'])
  assert.match(String(reason), /within 5 ms/)
})

test('T6: past its timeout a task that does not listen keeps its slot, and no retry starts before it returns', async (t) => {
  const tasks = await startQueue(t, { concurrency: 2 })
  const { opened, open } = latch()
  let running = 0
  let most = 0
  let calls = 0
  const work = async () => {
    most = Math.max(most, ++running)
    if (++calls === 1) await opened
    running--
    return calls
  }
  const { id } = await tasks.add(work, nothing, { timeout: 1, attempts: 2, backoff: 0 })
  await until(async () => (await tasks.find(id))?.cancelling)
  assert.equal((await tasks.find(id))?.state, 'running')
  assert.equal(calls, 1)

  open()
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.result, most], ['succeeded', 2, 2, 1])
})

test('a timeout decides, also when the function returns later', async (t) => {
  const tasks = await startQueue(t)
  const { opened, open } = latch()
  const { id } = await tasks.add(() => opened.then(() => 'late'), nothing, { timeout: 1 })
  await until(async () => (await tasks.find(id))?.cancelling)
  open()
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.result, task?.cancelling], ['failed', null, false])
})

test('T11: cancelled before its start, a task never runs', async (t) => {
  const tasks = await startQueue(t, { concurrency: 1 })
  const { opened, open } = latch()
  let runs = 0
  await tasks.add(() => opened)
  const { id } = await tasks.add(() => runs++)

  const cancelled = await tasks.cancel(id)
  open()
  await tasks.idle()
  assert.equal(cancelled?.state, 'cancelled')
  assert.ok(cancelled.endedAt)
  assert.equal(runs, 0)
})

test('T11: cancelled while it waits for its reply, a task never runs', async (t) => {
  const tasks = await startQueue(t)
  const reply = latch()
  let runs = 0
  const { id } = await tasks.add(() => runs++, nothing, { after: reply.opened })
  await tasks.cancel(id)
  reply.open()
  await tasks.add(() => {})
  await tasks.idle()
  assert.equal(runs, 0)
})

test('T11: cancelled while it runs, a task is `cancelling` until its function returns', async (t) => {
  const tasks = await startQueue(t)
  const { opened, open } = latch()
  const { id } = await tasks.add(() => opened.then(() => 'done after all'))
  await until(async () => (await tasks.find(id))?.state === 'running')

  const first = await tasks.cancel(id)
  const second = await tasks.cancel(id)
  assert.deepEqual([first?.state, first?.cancelling], ['running', true])
  assert.deepEqual([second?.state, second?.cancelling], ['running', true])
  open()
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.cancelling, task?.result], ['cancelled', false, null])
})

test('T11: what has ended, or is unknown, can not be cancelled', async (t) => {
  const tasks = await startQueue(t)
  const { id } = await tasks.add(() => 'fine')
  await tasks.idle()
  assert.equal(await tasks.cancel(id), undefined)
  assert.equal(await tasks.cancel('nobody'), undefined)
  assert.equal((await tasks.find(id))?.state, 'succeeded')
})

test('T11: cancelled in the same turn in which it ends, a task has one end', async (t) => {
  const ends: string[] = []
  const tasks = await startQueue(t, {
    onChange: (changed) => {
      const { endedAt, state } = changed.snapshot()
      if (endedAt) ends.push(state)
    },
  })
  const { opened, open } = latch()
  const { id } = await tasks.add(() => opened)
  await until(async () => (await tasks.find(id))?.state === 'running')
  open()
  const cancelled = await tasks.cancel(id)
  await tasks.idle()
  await until(() => ends.length > 0)
  assert.deepEqual(ends, [cancelled ? 'cancelled' : 'succeeded'])
})

test('a cancel takes a retry away', async (t) => {
  const tasks = await startQueue(t)
  const { opened, open } = latch()
  const work = () => opened.then(() => fail(new Error('no')))
  const { id } = await tasks.add(work, nothing, { attempts: 5, backoff: 0 })
  await until(async () => (await tasks.find(id))?.state === 'running')
  await tasks.cancel(id)
  open()
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, 'cancelled')
})

test('one that failed or was cancelled runs again under its id, as if it were new', async (t) => {
  const tasks = await startQueue(t)
  const { id, createdAt } = await tasks.add(flaky(1))
  await tasks.idle()
  const again = await tasks.retry(id)
  assert.deepEqual([again?.id, again?.state, again?.attempt, again?.error], [id, 'queued', 0, null])
  await tasks.idle()
  const task = await tasks.find(id)
  assert.deepEqual([task?.state, task?.attempt, task?.createdAt], ['succeeded', 1, createdAt])
  assert.equal(await tasks.retry(id), undefined, 'what succeeded is not run again')
  assert.equal((await tasks.list({ limit: 10 })).tasks.length, 1)
})

test('a retry is refused when the queue is full, and waits for its reply', async (t) => {
  const tasks = await startQueue(t, { capacity: 1 })
  const { id } = await tasks.add(flaky(1))
  await tasks.idle()
  const hold = latch()
  await tasks.add(() => hold.opened)
  await assert.rejects(tasks.retry(id), QueueFullError)
  hold.open()
  await tasks.idle()
  const reply = latch()
  await tasks.retry(id, { after: reply.opened })
  assert.equal((await tasks.find(id))?.state, 'queued')
  reply.open()
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, 'succeeded')
})

test('a retry that is asked for twice with one key happens once', async (t) => {
  const tasks = await startQueue(t)
  let runs = 0
  const { id } = await tasks.add(() => fail(new Error(`no ${++runs}`)))
  await tasks.idle()
  for (const key of ['once', 'another', 'once', 'another']) {
    assert.equal((await tasks.retry(id, { key }))?.id, id)
    await tasks.idle()
  }
  assert.equal(runs, 3)
})

test('a delayed task holds no slot, says when it is due, and runs then', async (t) => {
  const tasks = await startQueue(t, { concurrency: 1 })
  const order: string[] = []
  const { runAt, createdAt } = await tasks.add(() => order.push('delayed'), nothing, { delay: 20 })
  await tasks.add(() => order.push('at once'))
  await tasks.idle()
  assert.deepEqual(order, ['at once', 'delayed'])
  assert.equal(Date.parse(runAt!) - Date.parse(createdAt), 20)
})

test('a higher priority goes first, and within one who came first', async (t) => {
  const tasks = await startQueue(t, { concurrency: 1 })
  const order: string[] = []
  const add = (name: string, priority: number) =>
    tasks.add(() => order.push(name), nothing, { priority })
  const { opened, open } = latch()
  const first = await tasks.add(() => opened)
  await until(async () => (await tasks.find(first.id))?.state === 'running')
  await add('c', 0)
  await add('d', 0)
  await add('a', 5)
  await add('e', -5)
  await add('b', 5)
  open()
  await tasks.idle()
  assert.deepEqual(order, ['a', 'b', 'c', 'd', 'e'])
})

test('T19: one key is one task, concurrently and afterwards; for something else it is refused', async (t) => {
  let runs = 0
  const count = defineTask('count', (_n: number) => ++runs)
  const tasks = await startQueue(t)
  const adds = Array.from({ length: 5 }, () => tasks.add(count, 1, { key: 'k' }))
  const ids = new Set((await Promise.all(adds)).map(({ id }) => id))
  await tasks.idle()
  const later = await tasks.add(count, 1, { key: 'k' })
  assert.deepEqual([ids.size, runs, ids.has(later.id), later.state], [1, 1, true, 'succeeded'])
  await assert.rejects(tasks.add(count, 2, { key: 'k' }), { name: 'KeyReusedError' })
})

test('T8: of a million progress calls few are told, the last one always', async (t) => {
  const seen: unknown[] = []
  const tasks = await startQueue(t, {
    onChange: (changed) => seen.push(changed.snapshot().progress),
  })
  const { id } = await tasks.add((_payload: undefined, context) => {
    for (let i = 1; i <= 1_000_000; i++) context.progress(i / 1_000_000)
  }, nothing)
  await tasks.idle()
  assert.equal((await tasks.find(id))?.progress, 1)
  await until(() => seen.at(-1) === 1)
  assert.ok(seen.length < 1_000, `told ${seen.length} times`)
})

const said: [what: string, fraction: unknown, note: unknown, progress: unknown, shown: unknown][] =
  [
    ['a fraction', 0.4, 'resizing', 0.4, 'resizing'],
    ['a fraction alone', 0.4, undefined, 0.4, null],
    ['less than 0', -1, undefined, 0, null],
    ['more than 1', 101, undefined, 1, null],
    ['infinity', Number.POSITIVE_INFINITY, undefined, 1, null],
    ['NaN', Number.NaN, 'x', null, null],
    ['a BigInt', 1n, 'x', null, null],
    ['an object', { toJSON: () => fail(new Error('no')) }, 'x', null, null],
    ['a note that is no text', 0.5, { cycle: true }, 0.5, null],
    ['a note of 10 MB', 0.5, 'x'.repeat(10_000_000), 0.5, 'x'.repeat(256)],
  ]

for (const [what, fraction, note, progress, shown] of said) {
  test(`T9: progress with ${what} harms nobody`, async (t) => {
    const tasks = await startQueue(t)
    const { id } = await tasks.add((_payload: undefined, context) => {
      context.progress(fraction as number, note as string)
    }, nothing)
    await tasks.idle()
    const task = await tasks.find(id)
    assert.deepEqual([task?.state, task?.progress, task?.note], ['succeeded', progress, shown])
  })
}

test('T10: progress after the end is not heard', async (t) => {
  const tasks = await startQueue(t)
  let tell = (_fraction: number) => {}
  const { id } = await tasks.add((_payload: undefined, context) => {
    tell = (fraction) => context.progress(fraction)
    tell(0.5)
  }, nothing)
  await tasks.idle()
  tell(0.9)
  assert.equal((await tasks.find(id))?.progress, 0.5)
})

test('a task that blocks the event loop is named, with the time', async (t) => {
  const lines: string[] = []
  const log = createLog('warn', (line) => lines.push(line), JSON.stringify)
  const tasks = await startQueue(t, { log, blockedMs: 20 })
  const { id } = await tasks.add(function crunch() {
    const until = performance.now() + 40
    while (performance.now() < until);
    throw new Error('and fails')
  })
  await tasks.idle()
  const blocked = lines.map((line) => JSON.parse(line)).find(({ ms }) => ms >= 40)
  assert.match(blocked.message, /blocked the event loop.*thread/)
  assert.deepEqual([blocked.task, blocked.name], [id, 'crunch'])
})

test('when every slot has a task past its timeout, the queue says so', async (t) => {
  const tasks = await startQueue(t, { concurrency: 2 })
  const { opened, open } = latch()
  await tasks.add(() => opened, nothing, { timeout: 1 })
  await until(async () => (await tasks.list({ limit: 1 })).tasks[0]?.cancelling)
  assert.equal(tasks.problem, undefined)
  await tasks.add(() => opened, nothing, { timeout: 1 })
  await until(() => tasks.problem)
  assert.match(tasks.problem!, /every slot/)
  const { tasks: held } = await tasks.list({ limit: 2 })
  for (const { id } of held) await tasks.cancel(id)
  assert.ok(tasks.problem, 'also when they are cancelled')
  open()
  await tasks.idle()
  assert.equal(tasks.problem, undefined)
})

test(
  'T22, X12: a clock that is set back or forward changes no delay, no backoff and no timeout',
  alone('servers have to agree on the time'),
  async (t) => {
    const real = Date.now
    t.after(() => {
      Date.now = real
    })
    const metrics = new Metrics()
    const tasks = await startQueue(t, { metrics })
    const slow = (_payload: undefined, context: TaskContext) => context.sleep(3_600_000)
    for (const hours of [-1, 1, -1_000]) {
      const delayed = await tasks.add(() => 'ran', nothing, { delay: 5 })
      const late = await tasks.add(slow, nothing, { timeout: 5 })
      const again = await tasks.add(flaky(1), nothing, { attempts: 2, backoff: 5 })
      Date.now = () => real() + hours * 3_600_000
      await tasks.idle()
      const states = [delayed, late, again].map(async ({ id }) => (await tasks.find(id))?.state)
      assert.deepEqual(await Promise.all(states), ['succeeded', 'failed', 'succeeded'])
    }
    assert.doesNotMatch(metrics.text(), / -|NaN/)
  },
)

test('cancels and retries that come together leave one task, in or out of the line', async (t) => {
  for (const isDefined of [false, true]) {
    let live = 0
    let most = 0
    const tasks = await startQueue(t, { concurrency: 4 })
    const work = async () => {
      most = Math.max(most, ++live)
      await new Promise(setImmediate)
      live--
      throw new Error('no')
    }
    const definition = defineTask('work', work)
    const { id } = isDefined ? await tasks.add(definition, nothing) : await tasks.add(work)
    await tasks.idle()
    for (let round = 0; round < 20; round++) {
      await Promise.all([tasks.retry(id), tasks.cancel(id), tasks.retry(id), tasks.cancel(id)])
      await Promise.all([tasks.retry(id), tasks.retry(id), tasks.cancel(id), tasks.retry(id)])
      await tasks.idle()
      assert.equal(tasks.size, 0)
    }
    assert.equal(most, 1)
  }
})
