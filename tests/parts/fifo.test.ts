import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fifo } from '../../lib/fifo.ts'

test('what came first leaves first, also when much has passed through', () => {
  const line = new Fifo<number>()
  for (let i = 0; i < 5_000; i++) line.push(i)
  for (let i = 0; i < 5_000; i++) assert.equal(line.shift(), i)
  assert.equal(line.shift(), undefined)
  line.push(1)
  assert.equal(line.size, 1)
  assert.equal(line.shift(), 1)
})

test('whoever leaves from the middle is not met again, and the others keep their order', () => {
  const line = new Fifo<number>()
  for (let i = 0; i < 6_000; i++) line.push(i)
  for (let i = 0; i < 6_000; i += 2) assert.equal(line.delete(i), true)
  assert.equal(line.delete(0), false)
  assert.equal(line.size, 3_000)
  for (let i = 1; i < 6_000; i += 2) assert.equal(line.shift(), i)
  assert.equal(line.size, 0)
  assert.equal(line.shift(), undefined)
})
