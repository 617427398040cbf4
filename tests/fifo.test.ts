import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fifo } from '../lib/fifo.ts'

test('a fifo gives back in order, and is empty afterwards', () => {
  const fifo = new Fifo<number>()
  for (let i = 0; i < 5_000; i++) fifo.push(i)
  for (let i = 0; i < 4_000; i++) assert.equal(fifo.shift(), i)
  for (let i = 5_000; i < 6_000; i++) fifo.push(i)
  for (let i = 4_000; i < 6_000; i++) assert.equal(fifo.shift(), i)
  assert.equal(fifo.size, 0)
  assert.equal(fifo.shift(), undefined)
  assert.equal(fifo.size, 0)
})
