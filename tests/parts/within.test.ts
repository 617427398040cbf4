import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { within } from '../../lib/within.ts'
import { block, socketPair } from '../basics.ts'

test('waiting has a limit', async () => {
  assert.equal(await within(5_000, Promise.resolve()), true)
  assert.equal(await within(1, new Promise(() => {})), false)
  await assert.rejects(within(5_000, Promise.reject(new Error('no'))), /no/)
})

test('what has come while the event loop was blocked for longer than the limit is in time', async (t) => {
  const [near, far] = await socketPair(t)

  far.write('x')
  const isInTime = within(20, once(near, 'data'))
  block(100)

  assert.equal(await isInTime, true)
})
