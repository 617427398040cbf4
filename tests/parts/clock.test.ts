import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { timestamp } from '../../lib/clock.ts'

test('the time is shown in UTC, and goes on', async () => {
  const first = timestamp()
  assert.match(first, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  const until = Date.now() + 2
  while (Date.now() < until) await turn()
  assert.ok(timestamp() > first)
})
