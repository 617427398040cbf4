import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  decodeRecord,
  encodeRecord,
  isVersionLine,
  type Line,
  linesOf,
  replay,
  VERSION_LINE,
} from '../../lib/journal-lines.ts'
import { temporaryFolder } from '../basics.ts'

async function fileOf(t: TestContext, content: string | Buffer): Promise<string> {
  const file = join(await temporaryFolder(t), 'tasks.journal')
  await writeFile(file, content)
  return file
}

const texts: [what: string, text: string][] = [
  ['nothing', ''],
  ['what JSON escapes', '"\\\n\r\t\0\u007f'],
  ['letters of two to four bytes', 'ä € 😀'],
  ['a lone surrogate', 'a\ud800b\udfffc'],
  ['line separators that JavaScript knows', '\u2028 \u2029 \u0085'],
  ['8 MB', 'é'.repeat(4_000_000)],
]

for (const [what, text] of texts) {
  test(`a record with ${what} comes back as it was, from one line`, () => {
    const record = { id: 'a', text, more: [1.5, null, true, { deep: text.length }] }
    const line = encodeRecord(record)
    assert.equal(line.indexOf('\n'), line.length - 1)
    assert.deepEqual(decodeRecord(Buffer.from(line.trimEnd())), record)
  })
}

test('J13: every change of any byte of a record is noticed, and so is a cut', () => {
  const line = Buffer.from(encodeRecord({ id: 'é' })).subarray(0, -1)
  assert.ok(decodeRecord(line))
  assert.equal(decodeRecord(Buffer.from('00000000 ')), undefined, 'the checksum of nothing')
  for (let at = 0; at < line.length; at++) {
    assert.equal(decodeRecord(line.subarray(0, at)), undefined, `cut at ${at}`)
    for (let change = 1; change < 256; change++) {
      const changed = Buffer.from(line)
      changed[at]! ^= change
      assert.equal(decodeRecord(changed), undefined, `byte ${at} is ${changed[at]}`)
    }
  }
})

test('the version line is known, and another version refused, naming both', () => {
  assert.equal(isVersionLine(Buffer.from(VERSION_LINE.trimEnd())), true)
  for (const other of ['0', '2', '10']) {
    const expected = new RegExp(`version 1 .*got ${other}$`)
    assert.throws(() => isVersionLine(Buffer.from(`meanwhile journal ${other}`)), expected)
  }
})

const v1 = VERSION_LINE.trimEnd()
for (const text of ['', 'x', 'meanwhile journal', `${v1} `, `${v1}\r`, `\ufeff${v1}`, `${v1}x`]) {
  test(`J15: ${JSON.stringify(text)} is no version line`, () => {
    assert.equal(isVersionLine(Buffer.from(text)), false)
  })
}

test('lines come whole from a file of many chunks, with their numbers and places', async (t) => {
  const MIB = 1_048_576 // what is read at once
  const lengths = [5, 0, MIB - 8, 3 * MIB, 0, MIB - 2, MIB - 1, 1, ...Array(100).fill(20_000), 7]
  const all = lengths.map((length, i) => Buffer.alloc(length, 97 + (i % 26)))
  const content = Buffer.concat(all.flatMap((line) => [line, Buffer.from('\n')])).subarray(0, -1)

  const lines: Line[] = []
  for await (const some of linesOf(await fileOf(t, content))) lines.push(...some)

  assert.equal(lines.length, all.length)
  let offset = 0
  for (const [i, line] of lines.entries()) {
    assert.ok(line.bytes.equals(all[i]!), `line ${i + 1}`)
    assert.deepEqual([line.number, line.offset], [i + 1, offset])
    assert.equal(line.isWhole, i < all.length - 1)
    offset += line.bytes.length + 1
  }
})

test('what is known of a task is put together, the newest wins field by field', async (t) => {
  const written = [
    { id: 'b', state: 'queued', payload: 1 },
    { id: 'a', state: 'queued', payload: [2] },
    { id: 'b', state: 'running', attempt: 1 },
    { id: 'b', state: 'succeeded', payload: null },
  ]
  const content = VERSION_LINE + written.map(encodeRecord).join('')
  const { records, end } = await replay(await fileOf(t, content))

  assert.equal(end, content.length)
  assert.deepEqual(
    [...records],
    [
      ['b', { id: 'b', state: 'succeeded', payload: null, attempt: 1 }],
      ['a', { id: 'a', state: 'queued', payload: [2] }],
    ],
  )
})

test('J15: fields and kinds of record that nobody knows yet do no harm', async (t) => {
  const known = { id: 'a', state: 'queued', colour: { of: 'the future' } }
  const later = { kind: 'checkpoint', id: 'checkpoint 1', at: 7 }
  const content = VERSION_LINE + [later, known].map(encodeRecord).join('')
  const { records } = await replay(await fileOf(t, content))
  assert.deepEqual([...records.values()], [later, known])
})
