import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Newest } from '../../lib/newest.ts'

const frame = (text: string, isLossy = false) => ({ bytes: Buffer.from(text), isLossy })
const textsOf = (newest: Newest) => newest.take().map(({ bytes }) => String(bytes))

test('the newest of each slot is kept, the one that changed last comes last', () => {
  const newest = new Newest(100)
  newest.put('task:1', frame('queued'))
  newest.put('task:2', frame('other'))
  newest.put('task:1', frame('running'))

  assert.equal(newest.bytes, 'running'.length + 'other'.length)
  assert.deepEqual(textsOf(newest), ['other', 'running'])
})

test('what was taken is gone', () => {
  const newest = new Newest(100)
  newest.put('a', frame('1'))
  newest.take()
  assert.deepEqual(textsOf(newest), [])
  assert.equal(newest.bytes, 0)
})

test('beyond the bound what may be left out is, the oldest first', () => {
  const newest = new Newest(10)
  newest.put('a', frame('aaaa', true))
  newest.put('b', frame('bbbb', true))
  newest.put('a', frame('AAAA', true))

  assert.equal(newest.put('c', frame('cccc', true)), true)
  assert.equal(newest.bytes, 8)
  assert.deepEqual(textsOf(newest), ['AAAA', 'cccc'])
})

test('what may not be left out stays, and pushes out what may', () => {
  const newest = new Newest(10)
  newest.put('task:1', frame('1111'))
  newest.put('a', frame('aaaa', true))
  assert.equal(newest.put('task:2', frame('2222')), true)
  assert.deepEqual(textsOf(newest), ['1111', '2222'])
})

test('there is no room for more of what must not be lost than the bound', () => {
  const newest = new Newest(10)
  assert.equal(newest.put('task:1', frame('11111')), true)
  assert.equal(newest.put('task:2', frame('22222')), true)
  assert.equal(newest.put('task:3', frame('3')), false)
})

test('one that may be left out and is beyond the bound alone is left out', () => {
  const newest = new Newest(10)
  assert.equal(newest.put('a', frame('x'.repeat(11), true)), true)
  assert.equal(newest.bytes, 0)
})

test('a topic is forgotten with its members, and no other', () => {
  const newest = new Newest(1_000)
  for (const slot of ['room:a', 'room:a alice', 'room:ab', 'room:ab alice', 'task:1']) {
    newest.put(slot, frame(slot))
  }
  newest.forget('room:a')
  assert.equal(newest.bytes, 'room:abroom:ab alicetask:1'.length)
  assert.deepEqual(textsOf(newest), ['room:ab', 'room:ab alice', 'task:1'])
})
