import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Archive, History } from '../../lib/history.ts'

const ROOM_BYTES = 262_144
const ALL_BYTES = 64 * 1_048_576
const all = (history: History) => history.newest(Number.POSITIVE_INFINITY, ALL_BYTES)

for (const [count, kept] of [
  [3, ['c', 'd', 'e']],
  [1, ['e']],
  [0, []],
] as const) {
  test(`of five messages a room keeps the newest ${count}`, () => {
    const [archive, history] = [new Archive(count), new History()]
    for (const text of 'abcde') archive.add(history, text)
    assert.deepEqual(all(history), kept)
    assert.equal(archive.bytes, kept.length)
  })
}

test('a room keeps at most 256 KiB', () => {
  const [archive, history] = [new Archive(100), new History()]
  const texts = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(ROOM_BYTES / 4))

  for (const text of texts) archive.add(history, text)

  assert.deepEqual(all(history), texts.slice(1))
  assert.equal(history.bytes, ROOM_BYTES)
  assert.equal(archive.bytes, ROOM_BYTES)
})

test('bytes are counted in UTF-8', () => {
  const [archive, history] = [new Archive(100), new History()]
  archive.add(history, '☺☺')
  assert.equal(history.bytes, 6)
  assert.equal(archive.bytes, 6)
})

test('a message larger than a room is not kept, nor what was before it', () => {
  const [archive, history] = [new Archive(100), new History()]
  archive.add(history, 'before')
  archive.add(history, 'x'.repeat(ROOM_BYTES + 1))
  assert.deepEqual(all(history), [])
  assert.equal(archive.bytes, 0)
})

// Each text takes its bytes and a comma.
const asked: [count: number, bytes: number, texts: string[]][] = [
  [Number.POSITIVE_INFINITY, 9, ['aa', 'bb', 'cc']],
  [Number.POSITIVE_INFINITY, 8, ['bb', 'cc']],
  [Number.POSITIVE_INFINITY, 3, ['cc']],
  [Number.POSITIVE_INFINITY, 2, []],
  [Number.POSITIVE_INFINITY, -1, []],
  [2, 100, ['bb', 'cc']],
  [0, 100, []],
]

for (const [count, bytes, texts] of asked) {
  test(`the newest ${count} in ${bytes} bytes are ${texts.join() || 'none'}`, () => {
    const [archive, history] = [new Archive(100), new History()]
    for (const text of ['aa', 'bb', 'cc']) archive.add(history, text)
    assert.deepEqual(history.newest(count, bytes), texts)
  })
}

test('all rooms keep at most 64 MiB, and those in which nothing was said for longest lose it', () => {
  const archive = new Archive(100)
  const text = 'x'.repeat(ROOM_BYTES) // one fills a room
  const rooms = Array.from({ length: 256 }, () => new History())
  for (const room of rooms) archive.add(room, text)
  assert.equal(archive.bytes, ALL_BYTES)

  archive.add(rooms[0]!, text) // it is not idle any more
  const [late, later] = [new History(), new History()]
  archive.add(late, text)
  archive.add(later, 'a few more')

  const sizes = [...rooms, late, later].map(({ size }) => size)
  assert.deepEqual(
    [...sizes.keys()].filter((n) => sizes[n] === 0),
    [1, 2],
  )
  assert.equal(archive.bytes, ALL_BYTES - ROOM_BYTES + 'a few more'.length)
})

test('a room that has lost its messages keeps new ones', () => {
  const archive = new Archive(100)
  const rooms = Array.from({ length: 257 }, () => new History())
  for (const room of rooms) archive.add(room, 'x'.repeat(ROOM_BYTES))
  assert.deepEqual(all(rooms[0]!), [])

  archive.add(rooms[0]!, 'new')

  assert.deepEqual(all(rooms[0]!), ['new'])
  assert.deepEqual(all(rooms[1]!), [])
})

test('what a room is made to forget counts no more', () => {
  const archive = new Archive(100)
  const [one, two] = [new History(), new History()]
  archive.add(one, 'one')
  archive.add(two, 'two!')
  archive.forget(one)
  archive.forget(one)
  assert.deepEqual(all(one), [])
  assert.equal(archive.bytes, 4)
})
