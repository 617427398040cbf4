import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lane, Lanes } from '../lib/lane.ts'

test('a lane gives out its slots in order, and no more of them', () => {
  const lane = new Lane<string>(2)
  for (const item of ['a', 'b', 'c']) lane.enter(item)
  assert.deepEqual([lane.next(), lane.next(), lane.next()], ['a', 'b', undefined])
  lane.leave()
  assert.deepEqual([lane.next(), lane.next()], ['c', undefined])
})

test('definitions share a lane unless they ask for slots of their own', () => {
  const lanes = new Lanes<string>(2)
  const own = { name: 'own', concurrency: 1 }
  assert.equal(lanes.of({ name: 'a' }), lanes.shared)
  assert.notEqual(lanes.of(own), lanes.shared)
  assert.equal(lanes.of(own), lanes.of(own))
  assert.equal([...lanes].length, 2)
  assert.throws(() => lanes.of({ name: 'own' }), TypeError)
})
