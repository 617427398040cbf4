import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { together } from '../../lib/together.ts'
import { latch } from '../basics.ts'

test('what comes while one is under way goes together, in order', async () => {
  const [gate, batches] = [latch(), [] as (readonly number[])[]]
  const add = together(async (items: readonly number[]) => {
    batches.push(items)
    if (batches.length === 1) await gate.opened
  })

  const first = [add(1), add(2)]
  while (batches.length === 0) await turn()
  const second = [add(3), add(4), add(5)]
  await turn()
  assert.deepEqual(batches, [[1, 2]])

  gate.open()
  await Promise.all([...first, ...second])
  assert.deepEqual(batches, [
    [1, 2],
    [3, 4, 5],
  ])
})

test('what comes in one turn of the event loop goes together, however it comes', async () => {
  const sizes: number[] = []
  const add = together(async (items: readonly number[]) => void sizes.push(items.length))
  const one = add(1)
  const two = Promise.resolve().then(() => add(2))
  await Promise.all([one, two])
  assert.deepEqual(sizes, [2])
})

test('a failure is told to all of its batch, and to no other', async () => {
  let attempts = 0
  const add = together(async () => {
    if (++attempts === 1) throw new Error('the disk is full')
  })

  const first = [add(1), add(2)]
  for (const item of first) await assert.rejects(item, /the disk is full/)
  await add(3)
  assert.equal(attempts, 2)
})
