import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, textFrame } from '../../lib/frame.ts'

const lengths: [bytes: number, header: number[]][] = [
  [0, [0x81, 0]],
  [125, [0x81, 125]],
  [126, [0x81, 126, 0, 126]],
  [65_535, [0x81, 126, 0xff, 0xff]],
  [65_536, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
]

for (const [bytes, header] of lengths) {
  test(`a text of ${bytes} bytes is one whole frame without a mask`, () => {
    const text = 'x'.repeat(bytes)
    assert.deepEqual(textFrame(text), Buffer.concat([Buffer.from(header), Buffer.from(text)]))
  })
}

test('the length of a frame is counted in bytes of UTF-8', () => {
  assert.deepEqual(textFrame('☺'), Buffer.from([0x81, 3, 0xe2, 0x98, 0xba]))
})

test('frames that go together keep their order', () => {
  const frames = ['a', 'b', 'c'].map((text) => ({ bytes: textFrame(text) }))
  const batch = batchOf(frames)
  assert.deepEqual(batch.bytes, Buffer.concat(frames.map(({ bytes }) => bytes)))
  assert.deepEqual(batch.frames, frames)
})

test('a frame that goes alone is not copied', () => {
  const bytes = textFrame('a')
  assert.equal(batchOf([{ bytes }]).bytes, bytes)
})

test('a batch is plain if all of it counts', () => {
  const bytes = textFrame('a')
  assert.equal(batchOf([{ bytes }, { bytes }]).isPlain, true)
  assert.equal(batchOf([{ bytes }, { bytes, slot: 'task:1' }]).isPlain, false)
})
