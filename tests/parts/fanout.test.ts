import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Fanout, Outbox } from '../../lib/fanout.ts'
import type { Batch } from '../../lib/frame.ts'
import { block, until } from '../basics.ts'

const frame = (text: string) => ({ bytes: Buffer.from(text) })

/** One who follows from the beginning, and notes what came, a text for each write. */
function join(line: Outbox, { after = 0, onDeliver = () => {} } = {}) {
  const writes: string[] = []
  const deliver = ({ bytes }: Batch) => {
    writes.push(String(bytes))
    onDeliver()
  }
  const following = { follower: { deliver }, after, writes, leave: () => leave() }
  const leave = () => line.followers.delete(following)
  line.followers.add(following)
  return following
}

/** So many, each of which takes so long that one slice of time is not enough for all. */
function crowd(line: Outbox, count: number) {
  return Array.from({ length: count }, () => join(line, { onDeliver: () => block(0.05) }))
}

test('what comes in one turn goes out in one write, in order', async () => {
  const line = new Outbox(new Fanout())
  const followers = [join(line), join(line)]

  for (const text of 'abc') line.push(frame(text))
  assert.deepEqual(followers[0]!.writes, [])
  await until(() => followers[1]!.writes.length > 0)
  line.push(frame('d'))
  await until(() => followers[1]!.writes.length > 1)

  for (const { writes } of followers) assert.deepEqual(writes, ['abc', 'd'])
})

const parts: [after: number, writes: string[]][] = [
  [0, ['abc']],
  [1, ['bc']],
  [2, ['c']],
  [3, []],
  [Number.POSITIVE_INFINITY, []],
]

for (const [after, writes] of parts) {
  test(`of three frames one who had ${after} gets ${writes.join() || 'none'}`, () => {
    const line = new Outbox(new Fanout())
    const follower = join(line, { after })

    for (const text of 'abc') line.push(frame(text))
    line.flush()

    assert.deepEqual(follower.writes, writes)
  })
}

test('a reserved number is for those who followed before, in the order of the frames', () => {
  const line = new Outbox(new Fanout())
  const before = join(line)
  const reserved = line.reserve()
  const since = join(line, { after: line.last })

  line.push(frame('a'))
  line.push(frame('b'), reserved)
  line.push(frame('c'))
  line.flush()

  assert.deepEqual(before.writes, ['abc'])
  assert.deepEqual(since.writes, ['ac'])
  assert.equal(line.last, 3)
})

test('a walk that was broken off goes on where it was, and one follows on the other', () => {
  const line = new Outbox(new Fanout())
  const followers = ['a', 'b', 'c'].map(() => join(line))
  const got = () => followers.map(({ writes }) => writes.join(' '))

  line.push(frame('1'))
  assert.equal(line.send(1), 0)
  line.push(frame('2'))
  line.push(frame('3'))
  assert.deepEqual(got(), ['1', '', ''])
  line.send(1)
  line.send(1)
  assert.deepEqual(got(), ['1', '1', '1'])
  line.send(1)
  assert.deepEqual(got(), ['1 23', '1', '1'])
  assert.equal(line.send(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)

  assert.deepEqual(got(), ['1 23', '1 23', '1 23'])
})

test('one that leaves in the middle of a walk gets no more, one that comes only what is new', () => {
  const line = new Outbox(new Fanout())
  const [first, second, third] = [join(line), join(line), join(line)]

  line.push(frame('1'))
  line.send(1)
  second.leave()
  const late = join(line, { after: line.last })
  line.push(frame('2'))
  line.flush()

  assert.deepEqual(first.writes, ['1', '2'])
  assert.deepEqual(second.writes, [])
  assert.deepEqual(third.writes, ['1', '2'])
  assert.deepEqual(late.writes, ['2'])
})

test('one that breaks off while it is written to changes nothing for the others', () => {
  const line = new Outbox(new Fanout())
  const before = join(line)
  const leaver = join(line, { onDeliver: () => leaver.leave() })
  const behind = join(line)

  for (const text of 'ab') {
    line.push(frame(text))
    line.flush()
  }

  assert.deepEqual(before.writes, ['a', 'b'])
  assert.deepEqual(leaver.writes, ['a'])
  assert.deepEqual(behind.writes, ['a', 'b'])
})

test('a thousand get everything once and in order, and the event loop turns meanwhile', async () => {
  const line = new Outbox(new Fanout())
  const followers = crowd(line, 1_000)
  const last = followers.at(-1)!
  const hasAll = () => last.writes.join('').endsWith('9')
  let turns = 0

  line.push(frame('0'))
  for (let n = 1; !hasAll(); turns++) {
    await turn()
    if (n < 10) line.push(frame(String(n++)))
  }

  assert.ok(turns > 10)
  for (const { writes } of followers) assert.equal(writes.join(''), '0123456789')
})

test('those who come and go while a thousand are told get what is theirs', async () => {
  const line = new Outbox(new Fanout())
  const followers = crowd(line, 1_000)
  const [gone, last] = [followers[998]!, followers[999]!]

  line.push(frame('0'))
  await until(() => followers[0]!.writes.length > 0)
  assert.deepEqual(last.writes, [])
  gone.leave()
  const late = join(line, { after: line.last })
  line.push(frame('1'))
  await until(() => late.writes.length > 0)

  assert.deepEqual(gone.writes, [])
  assert.deepEqual(last.writes, ['0', '1'])
  assert.deepEqual(late.writes, ['1'])
})

test('a line with a thousand followers does not hold up another one', async () => {
  const fanout = new Fanout()
  const [long, short] = [new Outbox(fanout), new Outbox(fanout)]
  const last = crowd(long, 1_000).at(-1)!
  const other = join(short)

  long.push(frame('a'))
  short.push(frame('b'))
  await until(() => other.writes.length > 0)
  assert.deepEqual(last.writes, [])
  await until(() => last.writes.length > 0)

  assert.deepEqual(last.writes, ['a'])
  assert.deepEqual(other.writes, ['b'])
})

test('who follows several lines is told with each but the last that more may follow', async () => {
  const fanout = new Fanout()
  const told: boolean[] = []
  const deliver = (_batch: Batch, mayFollowMore: boolean) => void told.push(mayFollowMore)
  for (const text of 'abc') {
    const line = new Outbox(fanout)
    line.followers.add({ follower: { deliver }, after: 0 })
    line.push(frame(text))
  }

  await until(() => told.length === 3)

  assert.deepEqual(told, [true, true, false])
})

test('a line that holds more than 256 KiB does not wait', async () => {
  const line = new Outbox(new Fanout())
  const follower = join(line)
  const half = frame('x'.repeat(131_072))

  line.push(half)
  line.push(half)
  assert.equal(follower.writes.length, 0)
  line.push(frame('y'))
  assert.equal(follower.writes.length, 1)
  line.push(frame('z'))
  await until(() => follower.writes.length > 1)

  assert.equal(follower.writes[0]!.length, 262_145)
  assert.equal(follower.writes[1], 'z')
})

test('a line goes out in a flush while a walk is under way, and nothing comes twice', async () => {
  const line = new Outbox(new Fanout())
  const followers = crowd(line, 1_000)

  line.push(frame('1'))
  await until(() => followers[0]!.writes.length > 0)
  line.push(frame('2'))
  line.flush()
  await turn()
  await turn()

  for (const { writes } of followers) assert.deepEqual(writes, ['1', '2'])
})

test('a line that nobody follows keeps nothing, and counts on', () => {
  const line = new Outbox(new Fanout())
  line.push(frame('1'))
  const follower = join(line)
  line.flush()
  assert.deepEqual(follower.writes, [])
  assert.equal(line.last, 1)
})
