import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lane } from '../../lib/lane.ts'

test('a lane gives out its slots in order, and no more of them', () => {
  const lane = new Lane<string>(2)
  for (const item of ['a', 'b', 'c']) lane.enter(item, 0)
  assert.deepEqual([lane.next(), lane.next(), lane.next()], ['a', 'b', undefined])
  assert.equal(lane.free, 0)
  lane.leave()
  assert.deepEqual([lane.next(), lane.next()], ['c', undefined])
})

test('a higher priority goes first, and within one who came first', () => {
  const lane = new Lane<string>(10)
  const entries: [item: string, priority: number][] = [
    ['c', 0],
    ['e', -1],
    ['a', 5],
    ['d', 0],
    ['b', 5],
    ['first', Number.POSITIVE_INFINITY],
  ]
  for (const [item, priority] of entries) lane.enter(item, priority)
  const order = entries.map(() => lane.next())
  assert.deepEqual(order, ['first', 'a', 'b', 'c', 'd', 'e'])
})

test('whoever quits the line takes no slot', () => {
  const lane = new Lane<string>(2)
  for (const item of ['a', 'b', 'c']) lane.enter(item, 0)
  lane.quit('b')
  lane.quit('never there')
  assert.deepEqual([lane.next(), lane.next()], ['a', 'c'])
})
