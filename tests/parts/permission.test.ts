import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identity } from '../../lib/identity.ts'
import { checkPublish, tasksOf, topicFor } from '../../lib/permission.ts'

const alice = { user: 'alice', isAdmin: false } as Identity
const admin = { user: 'root', isAdmin: true } as Identity

const followed: [who: Identity, topic: string, own: string][] = [
  [alice, 'room:tea', 'room:tea'],
  [alice, 'user:alice', 'user:alice'],
  [alice, 'task:1', 'task:1'], // whether it is hers, the look-up knows
  [alice, 'tasks', 'tasks:alice'],
  [admin, 'room:tea', 'room:tea'],
  [admin, 'tasks', 'tasks'],
  [admin, 'stats', 'stats'],
]

for (const [who, topic, own] of followed) {
  test(`what ${who.user} knows as ${topic} is ${own}`, () => {
    assert.equal(topicFor(who, topic), own)
  })
}

const refused: [who: Identity, topic: string][] = [
  [alice, 'user:bob'],
  [alice, 'user:Alice'],
  [alice, 'stats'],
  [admin, 'user:alice'], // notifications are for one
]

for (const [who, topic] of refused) {
  test(`${topic} is not for ${who.user}`, () => {
    assert.throws(() => topicFor(who, topic), { name: 'ProtocolError', code: 'forbidden' })
  })
}

test('the topic of a user’s tasks is none that a client can name', () => {
  assert.equal(tasksOf('alice'), 'tasks:alice')
  assert.throws(() => checkPublish(tasksOf('alice')), { code: 'forbidden' })
})

for (const topic of ['user:alice', 'task:1', 'tasks', 'stats', 'nothing']) {
  test(`only the server publishes to ${topic}`, () => {
    assert.throws(() => checkPublish(topic), { name: 'ProtocolError', code: 'forbidden' })
  })
}

test('anybody publishes to a room', () => {
  checkPublish('room:tea')
})
