import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Tally } from '../../lib/tally.ts'

test('a tally forgets what is back at zero', () => {
  const tally = new Tally()
  tally.add('a')
  tally.add('a')
  tally.remove('a')
  assert.equal(tally.of('a'), 1)
  tally.remove('a')
  tally.remove('a')
  assert.equal(tally.of('a'), 0)
})
