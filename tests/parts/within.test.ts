import assert from 'node:assert/strict'
import { test } from 'node:test'
import { within } from '../../lib/within.ts'

test('waiting has a limit', async () => {
  assert.equal(await within(5_000, Promise.resolve()), true)
  assert.equal(await within(1, new Promise(() => {})), false)
  await assert.rejects(within(5_000, Promise.reject(new Error('no'))), /no/)
})
