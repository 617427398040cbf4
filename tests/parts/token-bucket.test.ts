import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TokenBucket } from '../../lib/token-bucket.ts'

test('a bucket at its rate never runs dry, and a burst has its size', () => {
  const bucket = new TokenBucket(20, 40)
  const now = performance.now()
  const burst = Array.from({ length: 41 }, () => bucket.take(now + 1))
  assert.equal(burst.filter(Boolean).length, 40)
  for (let i = 1; i <= 1_200; i++) assert.ok(bucket.take(now + 1 + i * 50.001))
})
