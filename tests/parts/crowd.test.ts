import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Crowd } from '../../lib/crowd.ts'

test('a crowd can be waited for', async () => {
  const crowd = new Crowd<number>()
  await crowd.whenEmpty()
  crowd.add(1).add(2)
  let isEmpty = false
  const empty = crowd.whenEmpty().then(() => {
    isEmpty = true
  })
  crowd.delete(1)
  await turn()
  assert.equal(isEmpty, false)
  crowd.delete(2)
  await empty
})
