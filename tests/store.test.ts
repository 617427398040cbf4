import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TaskStore } from '../lib/store.ts'
import { newTask, type State } from '../lib/task.ts'

function put(store: TaskStore, state: State): string {
  const task = newTask('test')
  store.set(task)
  const endedAt = state === 'queued' || state === 'running' ? null : task.createdAt
  store.set({ ...task, state, endedAt })
  return task.id
}

test('the newest snapshot of a task takes the place of the one before', () => {
  const store = new TaskStore(10)
  const id = put(store, 'succeeded')
  assert.equal(store.find(id)?.state, 'succeeded')
  assert.equal(store.list({ limit: 10 }).tasks.length, 1)
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
