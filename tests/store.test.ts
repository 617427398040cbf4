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

test('of finished tasks the oldest are forgotten, the failed ones last, unfinished ones never', () => {
  const store = new TaskStore(2)
  const running = put(store, 'running')
  const failed = put(store, 'failed')
  const cancelled = put(store, 'cancelled')
  const first = put(store, 'succeeded')
  const second = put(store, 'succeeded')

  assert.deepEqual(
    store.list({ limit: 10 }).tasks.map(({ id }) => id),
    [second, failed, running],
  )
  for (const id of [cancelled, first]) assert.equal(store.find(id), undefined)
  put(store, 'failed')
  put(store, 'failed')
  assert.equal(store.find(failed), undefined)
})

test('a page goes on after a task, or ends with one that is forgotten', () => {
  const store = new TaskStore(10)
  const ids = [put(store, 'succeeded'), put(store, 'failed'), put(store, 'succeeded')]
  const idsOf = (options: object) => store.list({ limit: 10, ...options }).tasks.map(({ id }) => id)
  assert.deepEqual(idsOf({ after: ids[2] }), [ids[1], ids[0]])
  assert.deepEqual(idsOf({ after: ids[0] }), [])
  assert.deepEqual(idsOf({ after: 'forgotten' }), [])
  assert.deepEqual(idsOf({ state: 'failed' }), [ids[1]])
  assert.deepEqual(idsOf({ name: 'another' }), [])
  assert.equal(store.list({ limit: 3 }).next, null)
  assert.equal(store.list({ limit: 2 }).next, ids[1])
})
