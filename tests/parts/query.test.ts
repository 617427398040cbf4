import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flagOf, wholeOf } from '../../lib/query.ts'

const limit = (text: string) => wholeOf(new URLSearchParams(text), 'limit', 1, 100)

const queries: [query: string, value: number | undefined][] = [
  ['limit=1', 1],
  ['limit=100', 100],
  ['limit=007', 7],
  ['other=5', undefined],
]

for (const [query, value] of queries) {
  test(`a query ?${query} means ${value}`, () => assert.equal(limit(query), value))
}

for (const text of [
  '0',
  '101',
  '',
  '1.5',
  '-1',
  '+1',
  '1e1',
  '0x1',
  ' 1',
  '١',
  '0000000001',
  'x',
]) {
  test(`a query ?limit=${text} is a 422 that names it`, () => {
    const errors = [{ pointer: 'limit', detail: 'expected a whole number from 1 to 100' }]
    assert.throws(() => limit(`limit=${encodeURIComponent(text)}`), { status: 422, errors })
  })
}

const flag = (text: string) => flagOf(new URLSearchParams(text), 'wait')

const flags: [query: string, value: boolean | undefined][] = [
  ['wait=true', true],
  ['wait=false', false],
  ['waiting=true', undefined],
]

for (const [query, value] of flags) {
  test(`a flag in ?${query} means ${value}`, () => assert.equal(flag(query), value))
}

for (const text of ['', '1', '0', 'True', 'FALSE', 'yes', ' true', 'true,false', 'null']) {
  test(`a flag that is "${text}" is a 422 that names it`, () => {
    const errors = [{ pointer: 'wait', detail: 'expected true or false' }]
    assert.throws(() => flag(`wait=${encodeURIComponent(text)}`), { status: 422, errors })
  })
}

test('what is in a query twice is a 422 that names it, since nobody knows which counts', () => {
  for (const read of [() => flag('wait=true&wait=false'), () => limit('limit=1&limit=1')]) {
    assert.throws(read, { status: 422, message: 'expected it once' })
  }
})
