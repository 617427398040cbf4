import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Recent } from '../../lib/recent.ts'

test('a value is remembered for so long, and not longer', () => {
  const recent = new Recent<number>(1_000, 10)
  recent.set('a', 1, 0)
  assert.deepEqual(recent.find('a', 999)?.value, 1)
  assert.equal(recent.find('a', 1_000), undefined)
})

test('a value may be undefined, and is told from none', () => {
  const recent = new Recent<undefined>(1_000, 10)
  recent.set('a', undefined, 0)
  assert.ok(recent.find('a', 1))
  assert.equal(recent.find('b', 1), undefined)
})

test('of too many the oldest is forgotten; one that is set again is not old', () => {
  const recent = new Recent<number>(1_000, 2)
  recent.set('a', 1, 0)
  recent.set('b', 2, 0)
  recent.set('a', 3, 0)
  recent.set('c', 4, 0)
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => recent.find(key, 1)?.value),
    [3, undefined, 4],
  )
})

test('what is over is let go of when something is set', () => {
  const recent = new Recent<number>(1_000, 10)
  recent.set('a', 1, 0)
  recent.set('b', 2, 500)
  recent.set('c', 3, 1_000)
  assert.equal(recent.find('a', 1), undefined) // asked as of then: it is not there
  assert.equal(recent.find('b', 1_001)?.value, 2)
})

test('the time is the present one, if none is given', () => {
  const recent = new Recent<number>(60_000, 10)
  recent.set('a', 1)
  assert.equal(recent.find('a')?.value, 1)
  assert.equal(recent.find('a', performance.now() + 60_001), undefined)
})
