import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notify } from '../../jobs/notify.ts'
import { AbortableContext } from '../../lib/context.ts'
import { silent } from '../basics.ts'

test('a notification is published to its user, with who sent it and the task', async () => {
  const published: unknown[] = []
  const definition = notify(async (...what) => published.push(what), 0)

  const notification = { user: 'alice', from: 'bob', message: 'tea?' }
  await definition.work(notification, new AbortableContext('7', 1, silent))

  assert.deepEqual(published, [['user:alice', { message: 'tea?', from: 'bob', task: '7' }]])
  assert.equal(definition.concurrency, 100)
})

test('a notification that cannot be published fails its task', async () => {
  const definition = notify(() => Promise.reject(new Error('no bus')), 0)
  const notification = { user: 'alice', from: 'bob', message: 'tea?' }
  const run = async () => definition.work(notification, new AbortableContext('7', 1, silent))
  await assert.rejects(run, /no bus/)
})
