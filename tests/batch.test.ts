import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batch } from '../lib/batch.ts'

test('a batch delivers the newest of each, in order of change', async () => {
  const delivered: number[][] = []
  await new Promise<void>((resolve) => {
    const batch = new Batch<number>(1, (items) => {
      delivered.push(items)
      resolve()
    })
    batch.add('a', 1)
    batch.add('b', 2)
    batch.add('a', 3)
  })
  assert.deepEqual(delivered, [[2, 3]])
})

test('a batch has a bound on what it delivers at once and on what waits', () => {
  const delivered: number[][] = []
  const batch = new Batch<number>(60_000, (items) => delivered.push(items))
  for (let i = 0; i < 10_300; i++) batch.add(String(i), i)
  batch.close()
  assert.equal(Math.max(...delivered.map((items) => items.length)), 250)
  assert.deepEqual(
    delivered.flat(),
    Array.from({ length: 10_000 }, (_, i) => i + 300),
  )
})
