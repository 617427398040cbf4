import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cut, describeError } from '../../lib/errors.ts'

test('a text is cut at a whole character', () => {
  assert.equal(cut('abc', 3), 'abc')
  assert.equal(cut('abc', 2), 'ab')
  assert.equal(cut('aé', 2), 'a')
  assert.equal(cut('☺☺', 4), '☺')
  assert.ok(Buffer.byteLength(cut('☺'.repeat(1_000), 896)) <= 896)
})

test('an error is described by name and message, whatever it is', () => {
  assert.deepEqual(describeError(new TypeError('x')), { name: 'TypeError', message: 'x' })
  assert.deepEqual(describeError('x'), { name: 'string', message: 'x' })
  assert.deepEqual(describeError(undefined), { name: 'undefined', message: 'undefined' })
  const mean = new Error('x')
  Object.defineProperty(mean, 'message', {
    get() {
      throw new Error('no')
    },
  })
  assert.deepEqual(describeError(mean), { name: 'Error', message: 'unreadable' })
})
