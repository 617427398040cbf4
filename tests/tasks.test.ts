import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog, currentFields, withFields } from '../lib/log.ts'
import {
  defineTask,
  QueueFullError,
  type Task,
  TaskQueue,
  type TaskQueueOptions,
} from '../tasks.ts'
import { fail, latch, revokedProxy, silent, until } from './basics.ts'
import { alone, isShared, startQueue } from './queue.ts'

const NEWEST = 'the newest state is told, not each'

test('a task is accepted as queued, and starts in a later turn of the event loop', async (t) => {
  const events: string[] = []
  const tasks = await startQueue(t)

  const task = await tasks.add(() => events.push('ran'))
  events.push('accepted')
  process.nextTick(() => events.push('next tick'))
  await tasks.idle()

  assert.equal(task.state, 'queued')
  assert.deepEqual(events, ['accepted', 'next tick', 'ran'])
})

test('a task starts only after what it waits for', async (t) => {
  const events: string[] = []
  const tasks = await startQueue(t)
  const reply = latch()

  await tasks.add(() => events.push('ran'), undefined, { after: reply.opened })
  await tasks.add(() => events.push('another ran'))
  await until(() => events.length > 0)
  events.push('replied')
  reply.open()
  await tasks.idle()

  assert.deepEqual(events, ['another ran', 'replied', 'ran'])
})

test('a task runs even if what it waits for fails', async (t) => {
  const tasks = await startQueue(t)
  const after = Promise.reject(new Error('reset'))
  const { id } = await tasks.add(() => 'done', undefined, { after })
  await tasks.idle()
  assert.equal((await tasks.find(id))?.state, 'succeeded')
})

test('a task shows each state that it goes through, with its times', alone(NEWEST), async (t) => {
  const seen: Task[] = []
  const tasks = await startQueue(t, { onChange: (changed) => seen.push(changed.snapshot()) })

  const { id } = await tasks.add(function sum() {
    return { total: 3 }
  })
  await tasks.idle()

  assert.deepEqual(
    seen.map(({ state, attempt }) => [state, attempt]),
    [
      ['queued', 0],
      ['running', 1],
      ['succeeded', 1],
    ],
  )
  const end = await tasks.find(id)
  assert.deepEqual(Object.keys(end!), SHAPE)
  assert.equal(end?.name, 'sum')
  assert.deepEqual(end.result, { total: 3 })
  for (const time of [end.createdAt, end.startedAt, end.endedAt]) {
    assert.match(time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  }
  assert.equal(seen[0]?.state, 'queued', 'a snapshot does not change')
})

const SHAPE = (
  'id name state cancelling attempt attempts progress note result error ' +
  'createdAt runAt startedAt endedAt'
).split(' ')

const thrown: [what: string, task: () => unknown, message: RegExp][] = [
  ['T1: a task that throws at once', () => fail(new Error('at once')), /^at once$/],
  [
    'T2: a task that rejects later',
    async () => fail(await delay(1, new Error('later'))),
    /^later$/,
  ],
  ['T3: a task that throws undefined', () => fail(undefined), /^undefined$/],
  ['T3: a task that throws null', () => fail(null), /^null$/],
  ['T3: a task that throws a string', () => fail('text'), /^text$/],
  [
    'T3: a task that throws what has no text',
    () => fail({ toString: () => fail(new Error('no')) }),
    /^unreadable$/,
  ],
  [
    'T3: a task that throws a frozen error',
    () => fail(Object.freeze(new Error('frozen'))),
    /^frozen$/,
  ],
  ['T3: a task that throws its own cause', () => fail(ownCause()), /^own$/],
  [
    'T3: a task that throws an error without a readable message',
    () => fail(mute()),
    /^unreadable$/,
  ],
  ['T3: a task that throws 10 MB', () => fail(new Error('x'.repeat(10_000_000))), /^x{896}$/],
  ['T17: a task that returns a cycle', () => cycle(), /circular/i],
  ['T17: a task that returns a BigInt', () => 1n, /BigInt/],
  ['T17: a task that returns a function', () => () => {}, /function/],
  ['T17: a task that returns more than 4 MiB', () => 'x'.repeat(4 * 1_048_576), /4194304/],
  ['T3: a task that throws a revoked proxy', () => fail(revokedProxy()), /^unreadable$/],
  [
    'T3: a task that rejects with a revoked proxy',
    async () => fail(revokedProxy()),
    /^unreadable$/,
  ],
  ['T17: a task that returns a revoked proxy', () => revokedProxy(), /revoked/],
  [
    'T3: a task that throws a proxy that throws',
    () => fail(new Proxy({}, { getPrototypeOf: () => fail(1) })),
    /object/,
  ],
  [
    'T17: a task that returns 4,000 levels',
    () => JSON.parse('['.repeat(4_000) + ']'.repeat(4_000)),
    /32 levels/,
  ],
  [
    'T2: a task that returns a thenable that throws',
    // biome-ignore lint/suspicious/noThenProperty: what a task returns may be anything
    () => ({ then: () => fail(new Error('then')) }),
    /^then$/,
  ],
]

function ownCause(): Error {
  const error = new Error('own')
  error.cause = error
  return error
}

function mute(): Error {
  return Object.defineProperty(new Error(), 'message', { get: () => fail(new Error('no')) })
}

function cycle(): unknown {
  const self: { self?: unknown } = {}
  self.self = self
  return self
}

for (const [what, work, message] of thrown) {
  test(`${what} is failed, and the next one runs`, async (t) => {
    const tasks = await startQueue(t, { concurrency: 1 })

    const bad = await tasks.add(work)
    const good = await tasks.add(() => 'fine')
    await tasks.idle()

    const failed = await tasks.find(bad.id)
    assert.equal(failed?.state, 'failed')
    assert.match(failed.error!.message, message)
    assert.ok(Buffer.byteLength(JSON.stringify(failed.error)) <= 1_024)
    assert.equal((await tasks.find(good.id))?.state, 'succeeded')
  })
}

test('T4: a task that rejects after it resolved keeps its result', async (t) => {
  const tasks = await startQueue(t)
  const { id } = await tasks.add(() => {
    return new Promise((resolve, reject) => {
      resolve('first')
      reject(new Error('second'))
    })
  })
  await tasks.idle()
  assert.equal((await tasks.find(id))?.result, 'first')
})

/** Work that none of ends before so many run at once, and how many have at most. */
function together(count: number) {
  const { opened, open } = latch()
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    if (running === count) open()
    await opened
    await delay(10)
    running--
  }
  return { work, most: () => most }
}

test('no more tasks run at once than there are slots', async (t) => {
  const { work, most } = together(3)
  const tasks = await startQueue(t, { concurrency: 3 })

  for (let i = 0; i < 20; i++) await tasks.add(work)
  await tasks.idle()

  assert.equal(most(), 3)
})

for (const concurrency of [1, 3]) {
  test(`with ${concurrency} at a time tasks start in order`, async (t) => {
    const started: number[] = []
    const tasks = await startQueue(t, { concurrency })

    for (let i = 0; i < 20; i++) {
      await tasks.add(async () => {
        started.push(i)
        await delay(10)
      })
    }
    await tasks.idle()

    assert.equal(new Set(started).size, 20)
    // Each slot gets its task from Redis by itself: those on their way at the same time may change places.
    const passed = isShared ? concurrency - 1 : 0
    for (const [place, n] of started.entries()) {
      assert.ok(Math.abs(n - place) <= passed, `${n} at ${place}`)
    }
  })
}

test('a definition with slots of its own never waits behind the others', async (t) => {
  const slow = latch()
  const ran = latch()
  const own = defineTask('own', () => ran.open(), { concurrency: 1 })
  const tasks = await startQueue(t, { concurrency: 1 })

  await tasks.add(() => slow.opened)
  await tasks.add(() => slow.opened)
  await tasks.add(own, undefined)
  await ran.opened // hangs if it waits for the slow ones

  slow.open()
  await tasks.idle()
})

test('a definition with slots of its own keeps to them', async (t) => {
  const { work, most } = together(2)
  const two = defineTask('two', work, { concurrency: 2 })
  const tasks = await startQueue(t, { concurrency: 8, definitions: [two] })
  for (let i = 0; i < 10; i++) await tasks.add(two, undefined)
  await tasks.idle()
  assert.equal(most(), 2)
})

test('tasks that block give sockets and timers their turn in between', async (t) => {
  const tasks = await startQueue(t, { concurrency: 100 })
  let turns = 0
  const count = setInterval(() => turns++, 1)
  for (let i = 0; i < 10; i++) {
    await tasks.add(() => {
      const until = performance.now() + 10
      while (performance.now() < until);
    })
  }
  await tasks.idle()
  clearInterval(count)
  assert.ok(turns >= 5, `expected turns between the tasks, got ${turns}`)
})

test('tasks that block and then wait all start, as long as there are slots', async (t) => {
  const tasks = await startQueue(t, { concurrency: 100 })
  const { opened, open } = latch()
  let started = 0
  for (let i = 0; i < 10; i++) {
    await tasks.add(() => {
      const until = performance.now() + 3
      while (performance.now() < until);
      started++
      return opened
    })
  }
  await until(() => started === 10) // hangs if they wait for each other
  open()
  await tasks.idle()
})

test('a payload is a copy: neither the caller nor the task can change it for the other', async (t) => {
  const seen: unknown[] = []
  const keep = defineTask('keep', (payload: { items: string[] }) => {
    seen.push(structuredClone(payload))
    payload.items.push('by the task')
  })
  const tasks = await startQueue(t)
  const payload = { items: ['first'] }

  await tasks.add(keep, payload)
  payload.items.push('by the caller')
  await tasks.idle()

  assert.deepEqual(seen, [{ items: ['first'] }])
  assert.deepEqual(payload, { items: ['first', 'by the caller'] })
})

const noJson: [what: string, payload: unknown][] = [
  ['a cycle', cycle()],
  ['a BigInt', 1n],
  ['a function', () => {}],
]

for (const [what, payload] of noJson) {
  test(`${what} is refused as a definition's payload, and leaves nothing behind`, async (t) => {
    const tasks = await startQueue(t)
    const definition = defineTask('any', (_payload: unknown) => {})
    await assert.rejects(tasks.add(definition, payload), TypeError)
    assert.equal(tasks.size, 0)
  })
}

test('T13: a full queue refuses, and takes tasks again when one has ended', async (t) => {
  const tasks = await startQueue(t, { capacity: 2, concurrency: 1 })
  const first = latch()
  await tasks.add(() => first.opened)
  await tasks.add(() => {})

  await assert.rejects(
    tasks.add(() => {}),
    QueueFullError,
  )
  first.open()
  await tasks.idle()
  await tasks.add(() => {})

  await tasks.idle()
  assert.equal((await tasks.list({ limit: 100 })).tasks.length, 3)
})

test(
  'payloads have a bound in bytes, which is free again when the tasks have ended',
  alone('the bound is that of Redis'),
  async (t) => {
    const tasks = await startQueue(t, { concurrency: 1 })
    const hold = latch()
    const big = defineTask('big', (_text: string) => hold.opened)
    const text = 'x'.repeat(60 * 1_048_576)
    await tasks.add(big, text)
    await tasks.add(big, text)

    await assert.rejects(tasks.add(big, text), QueueFullError)
    hold.open()
    await tasks.idle()
    await tasks.add(big, text)
    await tasks.idle()
  },
)

test(
  'T18: the last finished tasks are remembered, the failed ones longest',
  alone('so many of each are'),
  async (t) => {
    const tasks = await startQueue(t, { keep: 2, concurrency: 1 })
    const failed = await tasks.add(() => fail(new Error('no')))
    for (let i = 0; i < 5; i++) await tasks.add(() => i)
    await tasks.idle()

    const { tasks: kept } = await tasks.list({ limit: 100 })
    assert.deepEqual(
      kept.map(({ state, result }) => [state, result]),
      [
        ['succeeded', 4],
        ['failed', null],
      ],
    )
    assert.equal(kept[1]?.id, failed.id)
  },
)

test('with nothing to keep, nothing is kept', async (t) => {
  const tasks = await startQueue(t, { keep: 0 })
  const { id } = await tasks.add(() => {})
  await tasks.idle()
  assert.equal(await tasks.find(id), undefined)
})

test('T12: a task that adds tasks without end fills the queue and no more', async (t) => {
  const tasks = await startQueue(t, { capacity: 50 })
  let refused = false
  const breed = async (): Promise<void> => {
    await Promise.all([tasks.add(breed), tasks.add(breed)]).catch((error) => {
      refused ||= error instanceof QueueFullError
    })
  }
  await tasks.add(breed)
  await until(() => refused)
  assert.ok(tasks.size <= 50)
  await tasks.drain(1_000)
})

test('log lines of a task carry the fields of whoever added it, ten of ten', async (t) => {
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line), JSON.stringify)
  const tasks = await startQueue(t, { concurrency: 1, log })
  const right: boolean[] = []

  for (let i = 0; i < 10; i++) {
    await withFields({ requestId: `r${i}` }, () =>
      tasks.add(async (_payload: undefined, context) => {
        await delay(1)
        right.push(currentFields().requestId === `r${i}`)
        context.log.info('inside')
      }, undefined),
    )
  }
  await tasks.idle()

  assert.deepEqual(right, Array(10).fill(true))
  const inside = lines.map((line) => JSON.parse(line)).filter(({ message }) => message === 'inside')
  const { requestId, task } = inside[3]
  assert.equal(requestId, 'r3')
  assert.equal(task, (await tasks.list({ limit: 10 })).tasks[6]?.id)
  assert.equal(inside[0].name, 'anonymous')
})

test('a task that was added outside any request has none of its fields', async (t) => {
  const tasks = await startQueue(t, { concurrency: 1 })
  const seen: unknown[] = []
  await withFields({ requestId: 'a' }, () => tasks.add(() => delay(1)))
  await tasks.add(() => seen.push(currentFields().requestId))
  await tasks.idle()
  assert.deepEqual(seen, [undefined])
})

test('a listener that throws disturbs no task', async (t) => {
  const tasks = await startQueue(t, { onChange: () => fail(new Error('listener')) })
  const { id } = await tasks.add(() => 'fine')
  await tasks.idle()
  assert.equal((await tasks.find(id))?.result, 'fine')
})

test(
  'T14: draining refuses new tasks and lets the accepted ones end',
  alone('what waits is in Redis'),
  async (t) => {
    const tasks = await startQueue(t, { concurrency: 1 })
    const first = await tasks.add(() => delay(5))
    const second = await tasks.add(() => 'second')

    const drained = tasks.drain(5_000)
    await assert.rejects(
      tasks.add(() => {}),
      QueueFullError,
    )

    assert.deepEqual(await drained, [])
    assert.equal((await tasks.find(first.id))?.state, 'succeeded')
    assert.equal((await tasks.find(second.id))?.state, 'succeeded')
  },
)

test(
  'past its deadline draining aborts what runs, and names what did not end',
  alone('what did not end is not lost'),
  async (t) => {
    const tasks = await startQueue(t, { concurrency: 2 })
    let reason: unknown
    const obedient = await tasks.add(async (_payload: undefined, context) => {
      context.signal.addEventListener('abort', () => {
        reason = context.signal.reason
      })
      await context.sleep(60_000)
    }, undefined)
    const deaf = await tasks.add(() => new Promise(() => {}))
    const waiting = await tasks.add(() => {})

    const left = await tasks.drain(100)

    assert.deepEqual(
      left.map(({ id, state }) => [id, state]),
      [
        [obedient.id, 'cancelled'],
        [deaf.id, 'running'],
        [waiting.id, 'queued'],
      ],
    )
    assert.ok(reason instanceof Error)
  },
)

test('a task that ends well although it was aborted counts as ended', async (t) => {
  const tasks = await startQueue(t)
  await tasks.add(async (_payload: undefined, context) => {
    await context.sleep(60_000).catch(() => {})
    return 'saved'
  }, undefined)
  assert.deepEqual(await tasks.drain(100), [])
})

test('a task that was cancelled before is not lost, though it goes on until the end', async (t) => {
  const tasks = await startQueue(t)
  const { id } = await tasks.add(() => new Promise(() => {}))
  await until(async () => (await tasks.find(id))?.state === 'running')
  await tasks.cancel(id)
  assert.deepEqual(await tasks.drain(50), [])
})

test('pages of the list do not overlap and end', async (t) => {
  const tasks = await startQueue(t)
  for (let i = 0; i < 5; i++) await tasks.add(() => i)
  await tasks.idle()

  const first = await tasks.list({ limit: 2 })
  const second = await tasks.list({ limit: 2, after: Number(first.next) })
  const third = await tasks.list({ limit: 2, after: Number(second.next) })

  const results = [first, second, third].flatMap((page) => page.tasks.map(({ result }) => result))
  assert.deepEqual(results, [4, 3, 2, 1, 0])
  assert.equal(third.next, null)
})

const queue = (options: Partial<TaskQueueOptions>) =>
  new TaskQueue({ concurrency: 8, capacity: 1_000, keep: 100, log: silent, ...options })

const refused: [what: string, make: () => unknown][] = [
  ['no slots', () => queue({ concurrency: 0 })],
  ['half a slot', () => queue({ concurrency: 0.5 })],
  ['no capacity', () => queue({ capacity: 0 })],
  ['NaN to keep', () => queue({ keep: Number.NaN })],
  ['a definition without slots', () => defineTask('x', () => {}, { concurrency: 0 })],
  ['a definition without a name', () => defineTask('', () => {})],
  ['a name with a space', () => defineTask('a b', () => {})],
  [
    'two definitions of one name',
    () => queue({ definitions: [defineTask('x', () => {}), defineTask('x', () => {})] }),
  ],
]

for (const [what, make] of refused) {
  test(`${what} is refused at construction`, () => {
    assert.throws(make, (error) => error instanceof TypeError || error instanceof RangeError)
  })
}
