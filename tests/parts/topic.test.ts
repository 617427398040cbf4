import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fanout } from '../../lib/fanout.ts'
import type { Batch, Frame } from '../../lib/frame.ts'
import { Archive } from '../../lib/history.ts'
import type { TopicKind } from '../../lib/protocol.ts'
import { Topic } from '../../lib/topic.ts'
import { type Json, until } from '../basics.ts'

const LOTS = 1_048_576

function topicOf(name: string, kind: TopicKind = 'room', history = 100): Topic {
  return new Topic(name, kind, new Fanout(), new Archive(history))
}

/** Frames as they were delivered, and as JSON. */
function reader(user = 'alice') {
  const frames: Frame[] = []
  const messages: Json[] = []
  const deliver = (batch: Batch) => {
    frames.push(...batch.frames)
    // A frame's header ends where its object begins.
    for (const { bytes } of batch.frames) {
      messages.push(JSON.parse(String(bytes.subarray(bytes.indexOf('{')))))
    }
  }
  return { user, frames, messages, deliver, comeBack: () => {} }
}

/** Follows from now on, as one who has had its answer. */
function join(topic: Topic, user?: string) {
  const follower = reader(user)
  const subscription = topic.subscribe(follower)
  topic.begin(subscription)
  return { ...follower, subscription }
}

test('a message has its topic, offset, sender, time and data', () => {
  const topic = topicOf('room:a')
  const { messages } = join(topic)

  assert.equal(topic.publish({ data: { a: 1 }, from: 'bob' }), 1)
  assert.equal(topic.publish({ data: null }), 2)
  topic.flush()

  const [first, second] = messages
  assert.match(first.at, /^\d{4}-.*Z$/)
  const shared = { type: 'message', topic: 'room:a', at: first.at }
  assert.deepEqual(first, { ...shared, offset: 1, from: 'bob', data: { a: 1 } })
  assert.deepEqual(second, { ...shared, at: second.at, offset: 2, data: null })
})

test('nothing goes to one that has had no answer yet', () => {
  const topic = topicOf('room:a')
  const pending = reader()
  const subscription = topic.subscribe(pending)

  topic.publish({ data: 'before' })
  topic.flush()
  topic.begin(subscription)
  topic.publish({ data: 'after' })
  topic.flush()

  assert.deepEqual(
    pending.messages.map(({ data }) => data),
    ['after'],
  )
})

test('a transient message has no offset, and is not kept', () => {
  const topic = topicOf('room:a')
  const { messages, frames } = join(topic)

  assert.equal(topic.publish({ data: 'x', from: 'bob', isTransient: true }), undefined)
  topic.flush()

  assert.equal('offset' in messages[0], false)
  assert.equal(frames[0]!.isLossy, true)
  assert.equal(topic.offset, 0)
  assert.deepEqual(topic.standing(undefined, LOTS)[1], [])
})

test('transient messages of one room and one sender take the place of each other', () => {
  const topic = topicOf('room:a')
  const { frames } = join(topic)
  for (const from of ['bob', 'bob', 'carol']) topic.publish({ data: 1, from, isTransient: true })
  topic.flush()
  const [one, two, other] = frames.map(({ slot }) => slot)
  assert.ok(one?.startsWith('room:a '))
  assert.equal(one, two)
  assert.notEqual(one, other)
})

const slots: [kind: TopicKind, name: string, slot: string | undefined][] = [
  ['task', 'task:1', 'task:1'],
  ['stats', 'stats', 'stats'],
  ['room', 'room:a', undefined],
  ['user', 'user:alice', undefined],
  ['tasks', 'tasks', undefined], // each has other tasks in it
]

for (const [kind, name, slot] of slots) {
  test(`of ${kind} ${slot ? 'the newest message counts' : 'every message counts'}`, () => {
    const topic = topicOf(name, kind)
    const { frames } = join(topic)
    topic.publish({ data: 1 })
    topic.flush()
    assert.equal(frames[0]!.slot, slot)
    assert.equal(frames[0]!.isLossy ?? false, false)
  })
}

const sizes: [kind: TopicKind, name: string, bytes: number, isTaken: boolean][] = [
  ['room', 'room:a', 65_536, true],
  ['room', 'room:a', 66_560, false],
  ['user', 'user:alice', 66_560, false],
  ['task', 'task:1', 1_000_000, true], // with a result
  ['tasks', 'tasks', 1_000_000, true],
]

for (const [kind, name, bytes, isTaken] of sizes) {
  test(`data of ${bytes} bytes is ${isTaken ? 'right' : 'too big'} for ${name}`, () => {
    const topic = topicOf(name, kind)
    const publish = () => topic.publish({ data: 'x'.repeat(bytes) })
    if (isTaken) assert.equal(publish(), 1)
    else assert.throws(publish, { name: 'ProtocolError', code: 'too_big' })
    assert.equal(topic.offset, isTaken ? 1 : 0)
  })
}

test('data that cannot be written takes no offset, and nobody hears of it', () => {
  const topic = topicOf('room:a')
  const { messages } = join(topic)
  assert.throws(() => topic.publish({ data: 1n }), TypeError)
  assert.equal(topic.publish({ data: 'one' }), 1)
  topic.flush()
  assert.deepEqual(
    messages.map(({ offset, data }) => [offset, data]),
    [[1, 'one']],
  )
})

test('W15: a follower that breaks off in the middle changes nothing for the others', () => {
  const topic = topicOf('room:a')
  const before = join(topic, 'alice')
  const leaver = topic.subscribe({
    ...reader('bob'),
    deliver: () => void topic.unsubscribe(leaver),
  })
  topic.begin(leaver)
  const behind = join(topic, 'carol')

  for (const data of ['one', 'two']) {
    topic.publish({ data })
    topic.flush()
  }

  for (const { messages } of [before, behind]) {
    assert.deepEqual(
      messages.filter(({ type }) => type === 'message').map(({ data }) => data),
      ['one', 'two'],
    )
  }
})

test('leaving twice is leaving once', () => {
  const topic = topicOf('room:a')
  const [one, two] = [join(topic, 'alice'), join(topic, 'alice')]
  assert.equal(topic.unsubscribe(one.subscription), true)
  assert.equal(topic.unsubscribe(one.subscription), false)
  assert.equal(topic.isFollowed, true)
  assert.equal(topic.standing(undefined, LOTS)[0].count, 1)
  topic.unsubscribe(two.subscription)
  assert.equal(topic.isFollowed, false)
})

// Of five messages the newest three are kept.
const standings: [
  what: string,
  since: object | undefined,
  recovered: boolean,
  offsets: number[],
][] = [
  ['no since', undefined, false, [3, 4, 5]],
  ['the newest', { offset: 5 }, true, []],
  ['one that is kept', { offset: 4 }, true, [5]],
  ['the one before those that are kept', { offset: 2 }, true, [3, 4, 5]],
  ['one too old', { offset: 1 }, false, [3, 4, 5]],
  ['the beginning', { offset: 0 }, false, [3, 4, 5]],
  ['one ahead', { offset: 6 }, false, [3, 4, 5]],
  ['a negative one', { offset: -1 }, false, [3, 4, 5]],
  ['another epoch', { epoch: 'another', offset: 5 }, false, [3, 4, 5]],
]

for (const [what, since, recovered, offsets] of standings) {
  test(`since ${what}: ${recovered ? 'recovered' : 'not recovered'}, ${offsets.join() || 'none'}`, () => {
    const topic = topicOf('room:a', 'room', 3)
    for (let data = 1; data <= 5; data++) topic.publish({ data })
    const position = since && { epoch: topic.epoch, offset: 0, ...since }

    const [standing, messages] = topic.standing(position, LOTS)

    assert.equal(standing.recovered, recovered)
    assert.equal(standing.offset, 5)
    assert.equal(standing.epoch, topic.epoch)
    assert.deepEqual(
      messages.map((text) => JSON.parse(text)).map(({ offset, data }) => [offset, data]),
      offsets.map((offset) => [offset, offset]),
    )
  })
}

test('without a history only who has missed nothing has recovered', () => {
  const topic = topicOf('room:a', 'room', 0)
  topic.publish({ data: 1 })
  const { epoch } = topic
  assert.equal(topic.standing({ epoch, offset: 1 }, LOTS)[0].recovered, true)
  const [standing, messages] = topic.standing({ epoch, offset: 0 }, LOTS)
  assert.equal(standing.recovered, false)
  assert.deepEqual(messages, [])
})

test('a topic that is no room keeps no messages, and names nobody', () => {
  const topic = topicOf('user:alice', 'user')
  join(topic)
  topic.publish({ data: 1 })
  const { epoch } = topic
  assert.deepEqual(topic.standing(undefined, LOTS), [{ epoch, offset: 1, recovered: false }, []])
  assert.equal(topic.standing({ epoch, offset: 1 }, LOTS)[0].recovered, true)
  assert.equal(topic.standing({ epoch, offset: 0 }, LOTS)[0].recovered, false)
})

test('messages that do not fit are left out, the oldest first, and it has not recovered', () => {
  const topic = topicOf('room:a')
  for (let n = 0; n < 10; n++) topic.publish({ data: 'x'.repeat(1_000) })
  const since = { epoch: topic.epoch, offset: 0 }

  const [all, whole] = topic.standing(since, LOTS)
  const [cut, part] = topic.standing(since, 5_000)

  assert.deepEqual([all.recovered, whole.length], [true, 10])
  assert.equal(cut.recovered, false)
  assert.deepEqual(part, whole.slice(-4))
})

test('each making of a topic has its own epoch', () => {
  assert.notEqual(topicOf('room:a').epoch, topicOf('room:a').epoch)
})

test('who joins is told to the others, and not to one whose answer had it', async () => {
  const topic = topicOf('room:a')
  const alice = join(topic, 'alice')
  const bob = join(topic, 'bob')
  const [standing] = topic.standing(undefined, LOTS)
  assert.deepEqual([standing.members, standing.count], [['alice', 'bob'], 2])

  await until(() => alice.messages.length > 0)
  topic.unsubscribe(alice.subscription)
  await until(() => bob.messages.length > 0)

  assert.deepEqual(alice.messages, [
    { type: 'presence', topic: 'room:a', joined: ['alice', 'bob'], left: [], count: 2 },
  ])
  assert.deepEqual(bob.messages, [
    { type: 'presence', topic: 'room:a', joined: [], left: ['alice'], count: 1 },
  ])
})

test('what a closed room has kept is let go of', () => {
  const archive = new Archive(100)
  const topic = new Topic('room:a', 'room', new Fanout(), archive)
  topic.publish({ data: 1 })
  assert.ok(archive.bytes > 0)
  topic.close()
  assert.equal(archive.bytes, 0)
})

test('each user’s tasks are shown as tasks', () => {
  const topic = topicOf('tasks:alice', 'tasks')
  assert.equal(JSON.parse(topic.textOf([])).topic, 'tasks')
})
