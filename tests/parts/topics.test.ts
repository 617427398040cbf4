import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch } from '../../lib/frame.ts'
import { Metrics } from '../../lib/metrics.ts'
import { Topics } from '../../lib/topics.ts'

const LOTS = 1_048_576
const reader = (user = 'alice') => ({ user, deliver: () => {}, comeBack: () => {} })

function topicsOf({ maxRooms = 10, history = 100 } = {}): Topics {
  return new Topics({ maxRooms, history }, new Metrics())
}

/** The epoch that a reader finds, who leaves again. */
function visit(topics: Topics, name: string): string {
  const subscription = topics.subscribe(reader(), name)
  topics.unsubscribe(subscription)
  return subscription.topic.epoch
}

/** What is kept. */
function messagesOf(topics: Topics, name: string): unknown[] {
  const subscription = topics.subscribe(reader(), name)
  topics.unsubscribe(subscription)
  const [, messages] = subscription.topic.standing(undefined, LOTS)
  return messages.map((text) => JSON.parse(text).data)
}

test('a room stays when everybody has left, with its messages', () => {
  const topics = topicsOf()
  const epoch = visit(topics, 'room:a')
  topics.publish('room:a', { data: 1 })
  assert.equal(topics.isFollowed('room:a'), false)
  assert.equal(visit(topics, 'room:a'), epoch)
  assert.deepEqual(messagesOf(topics, 'room:a'), [1])
})

test('a message makes its room', () => {
  const topics = topicsOf()
  assert.equal(topics.publish('room:a', { data: 1 }), 1)
  assert.equal(topics.publish('room:a', { data: 2 }), 2)
  assert.deepEqual(messagesOf(topics, 'room:a'), [1, 2])
})

for (const name of ['user:alice', 'task:1', 'tasks', 'tasks:alice', 'stats']) {
  test(`${name} is gone when everybody has left`, () => {
    const topics = topicsOf()
    const [one, two] = [topics.subscribe(reader(), name), topics.subscribe(reader(), name)]
    assert.equal(topics.publish(name, { data: 1 }), 1)
    topics.unsubscribe(one)
    assert.equal(topics.publish(name, { data: 2 }), 2)
    topics.unsubscribe(two)
    assert.equal(topics.isFollowed(name), false)
    assert.equal(topics.publish(name, { data: 3 }), 1)
    assert.notEqual(visit(topics, name), one.topic.epoch)
  })
}

test('when a room needs a place, the one that was left longest ago goes, and is made anew', () => {
  const topics = topicsOf({ maxRooms: 2 })
  const [a, b] = [visit(topics, 'room:a'), visit(topics, 'room:b')]
  topics.publish('room:a', { data: 'old' })
  visit(topics, 'room:b') // so a is the one
  const back = visit(topics, 'room:b')

  visit(topics, 'room:c')

  assert.equal(back, b)
  assert.equal(visit(topics, 'room:b'), b)
  assert.deepEqual(messagesOf(topics, 'room:a'), [])
  assert.notEqual(visit(topics, 'room:a'), a)
})

test('a message to a room that was left puts off its end', () => {
  const topics = topicsOf({ maxRooms: 2 })
  const [a, b] = [visit(topics, 'room:a'), visit(topics, 'room:b')]
  topics.publish('room:a', { data: 1 })

  visit(topics, 'room:c')

  assert.equal(visit(topics, 'room:a'), a)
  assert.notEqual(visit(topics, 'room:b'), b)
})

test('a room that somebody follows is never dropped', () => {
  const topics = topicsOf({ maxRooms: 2 })
  const stays = topics.subscribe(reader(), 'room:a')
  for (const name of ['room:b', 'room:c', 'room:d']) visit(topics, name)
  topics.publish('room:e', { data: 1 })
  assert.equal(visit(topics, 'room:a'), stays.topic.epoch)
})

test('when all rooms are followed there is no room for one more', () => {
  const topics = topicsOf({ maxRooms: 1 })
  const [one, two] = [topics.subscribe(reader(), 'room:a'), topics.subscribe(reader(), 'room:a')]
  const isFull = { name: 'ProtocolError', code: 'too_many_rooms' }

  assert.throws(() => topics.subscribe(reader(), 'room:b'), isFull)
  assert.throws(() => topics.publish('room:b', { data: 1 }), isFull)
  topics.unsubscribe(one)
  topics.unsubscribe(one) // twice is once
  assert.throws(() => topics.subscribe(reader(), 'room:b'), isFull)
  topics.unsubscribe(two)

  assert.notEqual(visit(topics, 'room:b'), one.topic.epoch)
})

test('other topics take no room’s place', () => {
  const topics = topicsOf({ maxRooms: 1 })
  for (const name of ['user:a', 'user:b', 'task:1', 'tasks']) topics.subscribe(reader(), name)
  topics.subscribe(reader(), 'room:a')
})

test('rooms and their bytes are counted, also when they are dropped', async () => {
  const metrics = new Metrics()
  const topics = new Topics({ maxRooms: 2, history: 100 }, metrics)
  const figure = async (name: string) => {
    const page = String((await metrics.page()).body)
    return Number(new RegExp(`^meanwhile_${name} (.*)$`, 'm').exec(page)?.[1])
  }

  assert.deepEqual([await figure('rooms'), await figure('history_bytes')], [0, 0])
  topics.publish('room:a', { data: 'x'.repeat(1_000) })
  assert.ok((await figure('history_bytes')) > 1_000)
  for (const name of ['room:b', 'room:c']) visit(topics, name)

  assert.deepEqual([await figure('rooms'), await figure('history_bytes')], [2, 0])
})

for (const name of ['', 'room:', 'room:a b', 'x:a', 'user:../a']) {
  test(`"${name}" is no topic`, () => {
    const bad = { name: 'ProtocolError', code: 'bad_topic' }
    assert.throws(() => topicsOf().subscribe(reader(), name), bad)
    assert.throws(() => topicsOf().publish(name, { data: 1 }), bad)
  })
}

// — once —

test('a message with a key is published once, and both get its offset', () => {
  const topics = topicsOf()
  const publish = (data: string) => topics.publish('room:a', { data, from: 'alice', key: 'k' })
  topics.publish('room:a', { data: 'before' })

  assert.deepEqual([publish('one'), publish('one')], [2, 2])
  assert.deepEqual(messagesOf(topics, 'room:a'), ['before', 'one'])
})

const others: [what: string, topic: string, key: string | undefined][] = [
  ['another key', 'room:a', 'l'],
  ['no key', 'room:a', undefined],
  ['another room', 'room:b', 'k'],
]

for (const [what, topic, key] of others) {
  test(`${what}: it is another message`, () => {
    const topics = topicsOf()
    topics.publish('room:a', { data: 1, from: 'alice', key: 'k' })
    topics.publish(topic, { data: 2, from: 'alice', key })
    assert.equal(messagesOf(topics, topic).at(-1), 2)
  })
}

test('a transient message with a key goes out once', () => {
  const topics = topicsOf()
  const heard: string[] = []
  const subscription = topics.subscribe(
    { ...reader('bob'), deliver: ({ frames }: Batch) => void heard.push(...frames.map(String)) },
    'room:a',
  )
  subscription.topic.begin(subscription)
  const publication = { data: 1, from: 'alice', key: 'k', isTransient: true }

  assert.equal(topics.publish('room:a', publication), undefined)
  assert.equal(topics.publish('room:a', publication), undefined)
  subscription.topic.flush()

  assert.equal(heard.length, 1)
})

test('a key whose message was refused is free', () => {
  const topics = topicsOf()
  const publish = (data: string) => topics.publish('room:a', { data, from: 'alice', key: 'k' })
  assert.throws(() => publish('x'.repeat(70_000)), { code: 'too_big' })
  assert.equal(publish('smaller'), 1)
})
