import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inTurns } from '../../lib/turns.ts'

test('all are visited in order, so many in one turn, and others run in between', async () => {
  const events: (number | string)[] = []
  setImmediate(() => events.push('another'))

  await inTurns([1, 2, 3, 4, 5], 2, (n) => events.push(n))

  assert.deepEqual(events, [1, 2, 'another', 3, 4, 5])
})

test('who leaves during the walk is not visited, who comes is', async () => {
  const all = new Set([1, 2, 3, 4])
  const visited: number[] = []

  await inTurns(all, 2, (n) => {
    visited.push(n)
    if (n !== 2) return
    all.delete(3)
    all.add(5)
  })

  assert.deepEqual(visited, [1, 2, 4, 5])
})

test('nobody is visited in an empty walk', async () => {
  await inTurns([], 1, () => assert.fail('visited'))
})
