import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { type ByteResult, bodyOf, resultOf, shown, sizeOf, typeOf } from '../../lib/result.ts'
import { revokedProxy } from '../basics.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const KIB = 1_024
const MIB = 1_024 * KIB

const kinds: [what: string, returned: unknown, shows: unknown, body: string][] = [
  ['nothing', undefined, null, 'null'],
  ['null', null, null, 'null'],
  ['a number', 1.5, 1.5, '1.5'],
  ['text', 'é', 'é', '"é"'],
  ['an object', { a: [true] }, { a: [true] }, '{"a":[true]}'],
  ['what has a toJSON', new Date(0), '1970-01-01T00:00:00.000Z', '"1970-01-01T00:00:00.000Z"'],
  ['bytes that are no Uint8Array', { type: 'a/b', bytes: [1] }, { type: 'a/b', bytes: [1] }, ''],
]

for (const [what, returned, shows, body] of kinds) {
  test(`the result of a task that returns ${what} is JSON`, () => {
    const result = resultOf(returned)
    assert.deepEqual(shown(result), shows)
    assert.equal(bodyOf(result), body || JSON.stringify(returned))
    assert.equal(typeOf(result), JSON_TYPE)
    assert.equal(sizeOf(result), returned === undefined ? 0 : Buffer.byteLength(String(result)))
  })
}

const octets = 'application/octet-stream'
const bytes = Uint8Array.of(0, 255)

const binary: [what: string, returned: unknown, type: string][] = [
  ['bytes', bytes, octets],
  ['a buffer', Buffer.from(bytes), octets],
  ['a type and bytes', { type: 'image/svg+xml', bytes }, 'image/svg+xml'],
  ['text as bytes', { type: 'text/plain; charset=utf-8', bytes }, 'text/plain; charset=utf-8'],
]

for (const [what, returned, type] of binary) {
  test(`the result of a task that returns ${what} is bytes of that type`, () => {
    const result = resultOf(returned)
    assert.deepEqual(Buffer.from(bodyOf(result)), Buffer.from(bytes))
    assert.equal(typeOf(result), type)
    assert.equal(sizeOf(result), 2)
    assert.deepEqual(shown(result), { type, bytes: 2 })
  })
}

test('bytes are a copy of what the task holds, and of no more', () => {
  const held = new Uint8Array(new ArrayBuffer(8), 2, 2)
  const copies = [held, { type: 'a/b', bytes: held }].map((returned) => resultOf(returned))
  held[0] = 1
  for (const copy of copies as ByteResult[]) {
    assert.deepEqual([copy.bytes[0], copy.bytes.buffer.byteLength], [0, 2])
  }
})

test('bytes that a task gives away are not copied', () => {
  const given = Uint8Array.of(1, 2)
  assert.equal((resultOf(given, true) as ByteResult).bytes, given)
})

const badTypes = [
  '',
  'png',
  'a/b/c',
  'a/b\r\nx: y',
  'a/b\n',
  'é/b',
  'a/b; q=1',
  `${'x'.repeat(65)}/b`,
]

for (const type of badTypes) {
  test(`${JSON.stringify(type)} is refused as the media type of a result`, () => {
    assert.throws(() => resultOf({ type, bytes }), { name: 'TypeError', message: /media type/ })
  })
}

const levels = (count: number) => JSON.parse('['.repeat(count) + ']'.repeat(count))
const cycle: { self?: unknown } = {}
cycle.self = cycle

const noResults: [what: string, returned: unknown, error: RegExp][] = [
  ['a function', () => {}, /^TypeError: .*function/],
  ['a symbol', Symbol('x'), /^TypeError: .*symbol/],
  ['a BigInt', 1n, /^TypeError: .*BigInt/],
  ['a cycle', cycle, /^TypeError: .*circular/],
  ['a revoked proxy', revokedProxy(), /^TypeError: .*revoked/],
  ['33 levels', levels(33), /^JsonError: .*32 levels/],
]

for (const [what, returned, error] of noResults) {
  test(`${what} is refused as a result`, () => assert.throws(() => resultOf(returned), error))
}

test('32 levels are a result', () => assert.deepEqual(shown(resultOf(levels(32))), levels(32)))

const ofSize: [what: string, make: (bytes: number) => unknown][] = [
  ['bytes', (size) => new Uint8Array(size)],
  ['text', (size) => 'x'.repeat(size - 2)],
  ['text of two bytes a character', (size) => 'é'.repeat(size / 2 - 1)],
]

for (const [what, make] of ofSize) {
  test(`a result may have 4 MiB and not more, in bytes: ${what}`, () => {
    assert.equal(sizeOf(resultOf(make(4 * MIB))), 4 * MIB)
    const message = `expected a result of at most 4194304 bytes, got ${4 * MIB + 2}`
    assert.throws(() => resultOf(make(4 * MIB + 2)), { name: 'RangeError', message })
  })
}

for (const [what, make] of ofSize.slice(1)) {
  test(`JSON is shown itself up to 64 KiB, beyond only its size, in bytes: ${what}`, () => {
    assert.ok(shown(resultOf(make(64 * KIB))) === make(64 * KIB))
    const size = 64 * KIB + 2
    const beyond = shown(resultOf(make(size)))
    assert.ok(isDeepStrictEqual(beyond, { type: JSON_TYPE, bytes: size })) // a short message
  })
}
