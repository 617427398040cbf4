import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Presence } from '../../lib/presence.ts'
import type { PresenceChange } from '../../lib/protocol.ts'

/** A room that nobody is in yet, and what it tells next. */
function emptyRoom() {
  const told: PresenceChange[] = []
  let tell = (change: PresenceChange) => void told.push(change)
  const presence = new Presence((change) => tell(change))
  const next = () => {
    const change = told.shift()
    if (change) return change
    return new Promise<PresenceChange>((resolve) => {
      tell = (change) => {
        tell = (another) => void told.push(another)
        resolve(change)
      }
    })
  }
  return { presence, next }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `user-${i}`)

test('who comes and goes is told, with how many are there', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  presence.join('bob')
  assert.deepEqual(await next(), { joined: ['alice', 'bob'], left: [], count: 2 })
  presence.leave('alice')
  presence.join('carol')
  assert.deepEqual(await next(), { joined: ['carol'], left: ['alice'], count: 2 })
  assert.deepEqual(presence.present, { members: ['bob', 'carol'], count: 2 })
})

test('a user is there once, from the first tab to the last', async () => {
  const { presence, next } = emptyRoom()
  const changes = [
    presence.join('alice'),
    presence.join('alice'),
    presence.leave('alice'),
    presence.join('bob'),
  ]
  assert.deepEqual(changes, [true, false, false, true])
  assert.deepEqual(await next(), { joined: ['alice', 'bob'], left: [], count: 2 })
  assert.equal(presence.leave('alice'), true)
  assert.deepEqual(await next(), { joined: [], left: ['alice'], count: 1 })
})

test('many who come at once are told in batches of 100', async () => {
  const { presence, next } = emptyRoom()
  for (const name of names(250)) presence.join(name)

  const told = [await next(), await next(), await next()]

  assert.deepEqual(
    told.map(({ joined, left, count }) => [joined.length, left.length, count]),
    [
      [100, 0, 250],
      [100, 0, 250],
      [50, 0, 250],
    ],
  )
  assert.deepEqual(
    told.flatMap(({ joined }) => joined),
    names(250),
  )
})

test('an answer names 100 of those who are there, and counts all', () => {
  const { presence } = emptyRoom()
  for (const name of names(101)) presence.join(name)
  assert.deepEqual(presence.present, { members: names(100), count: 101 })
  presence.clear()
})

test('who was there for a moment, unnoticed, is not told', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  presence.leave('alice')
  presence.join('bob')
  assert.deepEqual(await next(), { joined: ['bob'], left: [], count: 1 })
})

test('who was away for a moment, unnoticed, is not told', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  await next()
  presence.leave('alice')
  presence.join('alice')
  presence.join('bob')
  assert.deepEqual(await next(), { joined: ['bob'], left: [], count: 2 })
})

test('who was seen for a moment is told to have left', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  assert.deepEqual(presence.present, { members: ['alice'], count: 1 })
  presence.leave('alice')
  assert.deepEqual(await next(), { joined: [], left: ['alice'], count: 0 })
})

test('whose absence was seen is told to be back', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  await next()
  presence.leave('alice')
  assert.deepEqual(presence.present, { members: [], count: 0 })
  presence.join('alice')
  assert.deepEqual(await next(), { joined: ['alice'], left: [], count: 1 })
})

test('a look when there is nothing to tell reveals nobody who comes after it', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  await next()
  assert.equal(presence.present.count, 1)
  presence.join('bob')
  presence.leave('bob')
  presence.join('carol')
  assert.deepEqual(await next(), { joined: ['carol'], left: [], count: 2 })
})

test('what was seen before the last batch reveals nobody who comes after it', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  assert.equal(presence.present.count, 1)
  await next()
  presence.join('bob')
  presence.leave('bob')
  presence.join('carol')
  assert.deepEqual(await next(), { joined: ['carol'], left: [], count: 2 })
})

test('when there is nothing to tell, nothing is told', async () => {
  const told: PresenceChange[] = []
  const quiet = new Presence((change) => told.push(change))
  quiet.join('alice')
  quiet.leave('alice')

  const { presence, next } = emptyRoom() // its timer ends after that of the other
  presence.join('bob')
  await next()

  assert.deepEqual(told, [])
})

test('when everybody has left, what was not told is forgotten', async () => {
  const { presence, next } = emptyRoom()
  presence.join('alice')
  presence.leave('alice')
  presence.join('bob')
  presence.leave('bob')
  presence.clear()
  presence.join('carol')
  assert.deepEqual(await next(), { joined: ['carol'], left: [], count: 1 })
})
