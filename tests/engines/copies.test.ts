// The copies of rooms and of who is in them, whatever order things come in: without a Redis, since here
// it has to fail, and to answer late, at the very moment.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Members } from '../../engines/redis-members.ts'
import { type RoomState, Rooms } from '../../engines/redis-rooms.ts'
import { type Inbox, unavailable } from '../../lib/bus.ts'
import { tooManyRooms } from '../../lib/topics.ts'

const ROOM = 'room:a'

/** What a bus does with its topics, in order. */
function note() {
  const done: string[] = []
  const write =
    (what: string) =>
    (...rest: unknown[]): undefined =>
      void done.push([what, ...rest.map((one) => JSON.stringify(one))].join(' '))
  const inbox: Inbox = {
    deliver: write('deliver'),
    append: write('append'),
    load: write('load'),
    join: write('join'),
    part: write('part'),
    interrupt: write('interrupt'),
  }
  return { inbox, done: () => done.splice(0) }
}

/** Answers each read when it is told to. */
function readsOf() {
  const open: { answer: (state: RoomState) => void; fail: (error: Error) => void }[] = []
  const read = () => {
    const { promise, ...reading } = withResolvers<RoomState>()
    open.push({ answer: reading.resolve, fail: reading.reject })
    return promise
  }
  return { open, read }
}

function withResolvers<T>() {
  let [resolve, reject] = [(_: T) => {}, (_: Error) => {}]
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const state = (epoch: string, offset: number, ...texts: string[]): RoomState => ({
  position: { epoch, offset },
  texts,
  members: [],
})

/** A copy that is as Redis has it, at this offset. */
async function roomsAt(offset: number) {
  const { inbox, done } = note()
  const { open, read } = readsOf()
  const rooms = new Rooms(inbox, read, () => {})
  const followed = rooms.follow(ROOM, undefined)
  open.shift()!.answer(state('e', offset))
  await followed
  done()
  return {
    rooms,
    open,
    done,
    hear: (n: number) => rooms.hear(ROOM, { epoch: 'e', offset: n }, `${n}`),
  }
}

test('what comes in order is told, what comes again is not', async () => {
  const { hear, done } = await roomsAt(4)
  for (const n of [5, 5, 4, 6]) hear(n)
  assert.deepEqual(done(), ['append "room:a" 5 "5"', 'append "room:a" 6 "6"'])
})

test('a gap is read, and read on if more has come meanwhile; nothing is told twice', async () => {
  const { hear, done, open, rooms } = await roomsAt(4)
  hear(6)
  hear(7)
  const updated = rooms.update() // waits for the reading that is under way
  open.shift()!.answer(state('e', 6, '5', '6'))
  while (open.length === 0) await turn()
  open.shift()!.answer(state('e', 7, '7'))
  await updated
  hear(8)
  const told = [5, 6, 7, 8].map((n) => `append "room:a" ${n} "${n}"`)
  assert.deepEqual(done(), told)
})

test('a gap that can’t be filled interrupts the room, and so does another epoch', async () => {
  for (const [now, epoch] of [
    [state('e', 9, '8', '9'), 'e'],
    [state('f', 1, '1'), 'f'],
  ] as const) {
    const { done, open, rooms } = await roomsAt(4)
    rooms.doubt()
    const updated = rooms.update()
    open.shift()!.answer(now)
    await updated
    const position = JSON.stringify({ epoch, offset: now.position.offset })
    const texts = JSON.stringify(now.texts)
    assert.deepEqual(done(), ['interrupt ["room:a"]', `load "room:a" ${position} ${texts}`])
  }
})

test('a read that fails is made again, and what came meanwhile is told then', async () => {
  const { hear, done, open, rooms } = await roomsAt(1)
  const ahead = rooms.follow(ROOM, { epoch: 'e', offset: 2 })!
  hear(2)
  open.shift()!.fail(unavailable('late'))
  await assert.rejects(ahead, { code: 'unavailable' })
  const updated = rooms.update()
  open.shift()!.answer(state('e', 2, '2'))
  await updated
  assert.deepEqual(done(), ['append "room:a" 2 "2"'])
  await rooms.update()
  assert.equal(open.length, 0) // nothing is doubtful any more
})

test('a room that can’t be had again is given up, and holds up no other', async () => {
  const { done, open, rooms } = await roomsAt(1)
  rooms.doubt()
  const updated = rooms.update()
  open.shift()!.fail(tooManyRooms())
  await updated
  assert.deepEqual(done(), ['interrupt ["room:a"]'])
})

test('a room that was left while it was read is not told, and not read again', async () => {
  const { done, open, rooms } = await roomsAt(1)
  rooms.doubt()
  const updated = rooms.update()
  rooms.leave(ROOM)
  open.shift()!.answer(state('e', 2, '2'))
  await updated
  await rooms.update()
  assert.deepEqual([done(), open.length], [[], 0])
})

test('who follows a room anew, while it is read for one who has left, gets a reading of its own', async () => {
  const { inbox, done } = note()
  const { open, read } = readsOf()
  const rooms = new Rooms(inbox, read, () => {})
  const first = rooms.follow(ROOM, undefined)
  rooms.leave(ROOM)
  const second = rooms.follow(ROOM, undefined)
  open.shift()!.answer(state('e', 1, 'old'))
  await first
  assert.deepEqual(done(), [])
  open.shift()!.answer(state('e', 2, 'old', 'new'))
  await second
  assert.deepEqual(done(), ['load "room:a" {"epoch":"e","offset":2} ["old","new"]'])
})

function membersOf() {
  const { inbox, done } = note()
  const said: string[] = []
  const announce = (_: string, user: string, isThere: boolean) =>
    void said.push(`${user} ${isThere}`)
  const members = new Members(inbox, announce)
  members.expect(ROOM)
  members.load(ROOM, ['s1 alice'])
  done()
  return { members, done, said }
}

test('of a user’s connections the others are told the first and the last', () => {
  const { members, said } = membersOf()
  for (const user of ['bob', 'bob', 'carol']) members.join(ROOM, user)
  for (const user of ['bob', 'bob']) members.part(ROOM, user)
  assert.deepEqual(said.splice(0), ['bob true', 'carol true', 'bob false'])
  const before = members.server
  members.beginAnew()
  members.announceAll()
  assert.deepEqual(said, ['carol true'])
  assert.notEqual(members.server, before)
  assert.ok(members.isOwn(before))
})

test('what was heard while a room was read is newer than what was read', () => {
  const { members, done } = membersOf()
  members.expect(ROOM)
  members.hear(ROOM, 's1 alice', false)
  members.hear(ROOM, 's2 bob', true)
  members.load(ROOM, ['s1 alice'])
  assert.deepEqual(done(), ['part "room:a" "alice"', 'join "room:a" "bob"'])
  members.expect(ROOM)
  members.load(ROOM, ['s2 bob', 's3 carol', `${members.server} own`])
  assert.deepEqual(done(), ['join "room:a" "carol"'])
})

test('a server that is missing once may be new, twice it is dead', () => {
  const { members, done } = membersOf()
  members.keep(new Set(['s2']))
  assert.deepEqual(done(), [])
  members.keep(new Set(['s1']))
  members.keep(new Set(['s2']))
  assert.deepEqual(done(), [])
  members.keep(new Set(['s2']))
  assert.deepEqual(done(), ['part "room:a" "alice"'])
})
