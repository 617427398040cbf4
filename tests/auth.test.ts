import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identify } from '../lib/auth.ts'

test('a user is whoever they say, or a guest', () => {
  assert.equal(identify(new URLSearchParams('user=alice')), 'alice')
  assert.match(identify(new URLSearchParams()), /^guest-[0-9a-f]{8}$/)
  assert.throws(() => identify(new URLSearchParams('user=a b')), { status: 422 })
  assert.throws(() => identify(new URLSearchParams('user=')), { status: 422 })
})
