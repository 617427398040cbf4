import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from '../../lib/digest.ts'

type Parts = (string | Uint8Array | undefined)[]

test('a digest is the same for the same, in 43 characters that need no escape', () => {
  assert.match(digestOf('a', undefined, Buffer.from('b')), /^[\w-]{43}$/)
  assert.equal(digestOf('a', 'b'), digestOf('a', 'b'))
  assert.equal(digestOf('ab'), digestOf(Buffer.from('ab')))
  assert.equal(digestOf('x'.repeat(1_000_000)).length, 43)
})

const different: [what: string, one: Parts, other: Parts][] = [
  ['of other text', ['a'], ['b']],
  ['in another order', ['a', 'b'], ['b', 'a']],
  ['cut elsewhere', ['ab', 'c'], ['a', 'bc']],
  ['with something empty more', ['a'], ['a', '']],
  ['with a length of its own', ['a1:b'], ['a', 'b']],
  ['with bytes that are cut elsewhere', ['ééé1:x'], [Buffer.from('ééé'), 'x']],
]

for (const [what, one, other] of different) {
  test(`a digest differs for parts ${what}`, () => {
    assert.notEqual(digestOf(...one), digestOf(...other))
  })
}
