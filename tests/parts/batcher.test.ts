import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batcher } from '../../lib/batcher.ts'

test('a batch delivers each key once, its newest, in order of the last change', async () => {
  const delivered = await new Promise<string[]>((resolve) => {
    const batch = new Batcher<string>(1, (keys) => resolve(keys))
    for (const newest of ['a1', 'b1', 'a2']) batch.add(newest.slice(0, 1), newest)
  })
  assert.deepEqual(delivered, ['b1', 'a2'])
})

test('a batch goes on until nothing waits, and begins again', async () => {
  const delivered: string[][] = []
  let next = () => {}
  const batch = new Batcher<string>(1, (keys) => {
    delivered.push(keys)
    next()
  })
  const times = (count: number) =>
    new Promise<void>((resolve) => {
      next = () => delivered.length === count && resolve()
    })
  for (let i = 0; i < 1_200; i++) batch.add(String(i), String(i))
  await times(3)
  batch.add('last', 'last')
  await times(4)
  assert.deepEqual(
    delivered.map((keys) => keys.length),
    [500, 500, 200, 1],
  )
})

test('a batch has a bound on what waits, and what is flushed waits no more', () => {
  const delivered: string[] = []
  const batch = new Batcher<string>(60_000, (keys) => void delivered.push(...keys))
  for (let i = 0; i < 20_300; i++) batch.add(String(i), String(i))
  batch.flush()
  assert.deepEqual(
    delivered,
    Array.from({ length: 20_000 }, (_, i) => String(i + 300)),
  )
})
