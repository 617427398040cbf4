import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Topics } from '../lib/topic.ts'

function follower() {
  const frames: { offset: number; data: unknown }[] = []
  return { frames, write: (frame: Buffer) => void frames.push(JSON.parse(String(frame))) }
}

test('a message goes to those whose subscription is live, with the next offset', () => {
  const topics = new Topics(10)
  const [live, pending] = [follower(), follower()]
  topics.join(live, 'room:a').isLive = true
  topics.join(pending, 'room:a')

  assert.equal(topics.publish('room:a', 'one'), 1)
  assert.equal(topics.publish('room:a', 'two'), 2)

  assert.deepEqual(
    live.frames.map(({ offset, data }) => [offset, data]),
    [
      [1, 'one'],
      [2, 'two'],
    ],
  )
  assert.deepEqual(pending.frames, [])
})

test('a follower that breaks off in the middle changes nothing for the others', () => {
  const topics = new Topics(10)
  const last = follower()
  const leaver = { write: () => topics.leave(subscription) }
  const subscription = topics.join(leaver, 'room:a')
  subscription.isLive = true
  topics.join(last, 'room:a').isLive = true
  topics.publish('room:a', 'one')
  topics.publish('room:a', 'two')
  assert.equal(last.frames.length, 2)
})

test('a topic that nobody follows keeps nothing', () => {
  const topics = new Topics(10)
  assert.equal(topics.publish('room:a', 'one'), 1)
  assert.equal(topics.publish('room:a', 'two'), 1)
  assert.equal(topics.has('room:a'), false)
})

test('data that cannot be written takes no offset', () => {
  const topics = new Topics(10)
  const { frames, write } = follower()
  topics.join({ write }, 'room:a').isLive = true
  assert.throws(() => topics.publish('room:a', 1n), TypeError)
  assert.equal(topics.publish('room:a', 'one'), 1)
  assert.equal(frames.length, 1)
})

test('rooms have a bound, other topics do not count', () => {
  const topics = new Topics(1)
  const first = topics.join(follower(), 'room:a')
  topics.join(follower(), 'room:a')
  topics.join(follower(), 'user:a')
  assert.throws(() => topics.join(follower(), 'room:b'), { code: 'too_many_rooms' })
  topics.leave(first)
  topics.leave(first)
  assert.throws(() => topics.join(follower(), 'room:b'), { code: 'too_many_rooms' })
})
