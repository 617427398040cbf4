import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Batcher } from '../../lib/batcher.ts'

test('a batch delivers each key once, in order of the last change', async () => {
  const delivered = await new Promise<string[]>((resolve) => {
    const batch = new Batcher(1, async (keys) => resolve(keys))
    for (const key of ['a', 'b', 'a']) batch.add(key)
  })
  assert.deepEqual(delivered, ['b', 'a'])
})

test('a batch goes on until nothing waits, and begins again', async () => {
  const delivered: string[][] = []
  let next = () => {}
  const batch = new Batcher(1, async (keys) => {
    delivered.push(keys)
    next()
  })
  const times = (count: number) =>
    new Promise<void>((resolve) => {
      next = () => delivered.length === count && resolve()
    })
  for (let i = 0; i < 1_200; i++) batch.add(String(i))
  await times(3)
  batch.add('last')
  await times(4)
  assert.deepEqual(
    delivered.map((keys) => keys.length),
    [500, 500, 200, 1],
  )
})

test('a batch has a bound on what waits, and what is flushed waits no more', async () => {
  const delivered: string[] = []
  const batch = new Batcher(60_000, async (keys) => void delivered.push(...keys))
  for (let i = 0; i < 20_300; i++) batch.add(String(i))
  await batch.flush()
  assert.deepEqual(
    delivered,
    Array.from({ length: 20_000 }, (_, i) => String(i + 300)),
  )
})
