import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kinds } from '../../lib/kinds.ts'
import { Metrics } from '../../lib/metrics.ts'
import { type Plan, Run } from '../../lib/run.ts'
import { TaskStore } from '../../lib/store.ts'
import type { State } from '../../lib/task.ts'

const kinds = new Kinds<Run>(1, 1, new Metrics())

function put(store: TaskStore, state: State, more: Partial<Plan & Run> = {}): string {
  const plan = { kind: kinds.plain, name: 'test', fields: {}, ...more }
  const run = Object.assign(new Run(plan, true, more.id ?? store.newId()), { state, ...more })
  if (more.id) store.adopt(run)
  else store.add(run)
  if (state === 'queued' || state === 'running') return run.id
  run.endedAt = Date.now()
  store.finish(run)
  return run.id
}

test('each task has an id of its own, by which it is found, and no other text finds it', () => {
  const store = new TaskStore(10)
  const ids = Array.from({ length: 50 }, () => put(store, 'queued'))
  assert.equal(new Set(ids).size, 50)
  for (const id of ids) assert.equal(store.find(id)?.id, id)
  const [prefix, number] = ids[40]!.split('-')
  for (const other of [
    '',
    number!,
    `${prefix}-`,
    `${prefix}-0${number}`,
    `x-${number}`,
    `${ids[40]} `,
  ]) {
    assert.equal(store.find(other), undefined, other)
  }
})

test('a task that another process has accepted keeps its id', () => {
  const store = new TaskStore(1)
  const id = put(store, 'succeeded', { id: 'another-0' })
  const mine = put(store, 'queued')
  assert.equal(store.find(id)?.id, id)
  assert.notEqual(mine, id)
  put(store, 'succeeded')
  assert.equal(store.find(id), undefined)
})

test('a key is known as long as its task', () => {
  const store = new TaskStore(1)
  const id = put(store, 'succeeded', { key: 'k' })
  assert.equal(store.findKey('k')?.id, id)
  assert.equal(store.findKey(undefined), undefined)
  put(store, 'succeeded')
  assert.equal(store.findKey('k'), undefined)
})

test('of what ended tasks hold, the oldest let go first, beyond 64 MiB', () => {
  const store = new TaskStore(100)
  const result = JSON.stringify('x'.repeat(4 * 1_048_576 - 2))
  const ids = Array.from({ length: 17 }, () => put(store, 'succeeded', { result }))
  assert.deepEqual([store.find(ids[0]!)?.result, store.find(ids[0]!)?.isGone], [null, true])
  assert.equal(store.find(ids[1]!)?.isGone, false)
  const failed = put(store, 'failed', { payload: 'x'.repeat(4 * 1_048_576) })
  assert.equal(store.find(ids[1]!)?.isGone, true)
  assert.equal(store.find(failed)?.isGone, false)
})

test('one that is to run again is not forgotten, and holds nothing for an ended one', () => {
  const store = new TaskStore(1)
  const id = put(store, 'failed', { payload: '"kept"' })
  store.revive(store.find(id)!)
  for (let i = 0; i < 3; i++) put(store, 'succeeded')
  assert.equal(store.find(id)?.payload, '"kept"')
})

const kept = (store: TaskStore) => store.list({ limit: 10 }).tasks.map(({ id }) => id)

test('of finished tasks the oldest are forgotten, the failed ones later, unfinished ones never', () => {
  const store = new TaskStore(2)
  const running = put(store, 'running')
  const failed = put(store, 'failed')
  const cancelled = put(store, 'cancelled')
  const first = put(store, 'succeeded')
  const second = put(store, 'succeeded')

  assert.deepEqual(kept(store), [second, failed, running])
  for (const id of [cancelled, first]) assert.equal(store.find(id), undefined)
})

test('many failed ones leave half of the room to the others', () => {
  const store = new TaskStore(4)
  const failed = Array.from({ length: 6 }, () => put(store, 'failed'))
  const others = Array.from({ length: 3 }, () => put(store, 'succeeded'))
  assert.deepEqual(kept(store), [others[2], others[1], failed[5], failed[4]])
})

test('a page goes on where the one before ended, also when that task is forgotten', () => {
  const store = new TaskStore(3)
  const ids = [put(store, 'failed'), put(store, 'succeeded'), put(store, 'succeeded')]
  const first = store.list({ limit: 1 })
  assert.equal(first.tasks[0]!.id, ids[2])
  const last = put(store, 'succeeded')
  put(store, 'succeeded')
  assert.equal(store.find(ids[2]!), undefined)

  const second = store.list({ limit: 1, after: Number(first.next) })
  assert.deepEqual([second.tasks[0]!.id, second.next], [ids[0], null])
  assert.deepEqual(store.list({ limit: 10, after: 0 }), { tasks: [], next: null })
  assert.equal(store.list({ limit: 10 }).tasks[1]!.id, last)
})

test('a list can be of one state and of one name', () => {
  const store = new TaskStore(10)
  const ids = [put(store, 'succeeded'), put(store, 'failed'), put(store, 'succeeded')]
  const idsOf = (options: object) => store.list({ limit: 10, ...options }).tasks.map(({ id }) => id)
  assert.deepEqual(idsOf({ state: 'failed' }), [ids[1]])
  assert.deepEqual(idsOf({ state: 'succeeded', name: 'test' }), [ids[2], ids[0]])
  assert.deepEqual(idsOf({ name: 'another' }), [])
  assert.equal(store.list({ limit: 3 }).next, null)
  assert.equal(typeof store.list({ limit: 2 }).next, 'string')
})
