import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isObject, JsonError, MAX_DEPTH, parseJson, toJson } from '../../lib/json.ts'

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

test('what JSON allows is parsed', () => {
  for (const text of ['null', '1', '"x"', '[]', '{"a":[true]}', nested(MAX_DEPTH)]) {
    assert.deepEqual(parseJson(text), JSON.parse(text))
  }
})

for (const text of [
  '',
  '{',
  'nul',
  '{"a":1,}',
  '\ufeff{}',
  'NaN',
  nested(MAX_DEPTH + 1),
  nested(20_000),
]) {
  test(`${JSON.stringify(text.slice(0, 12))} (${text.length} long) is refused without a quotation`, () => {
    assert.throws(
      () => parseJson(text),
      (error) => {
        assert.ok(error instanceof JsonError)
        assert.equal(error.pointer, undefined)
        assert.ok(error.message.length < 60)
        return true
      },
    )
  })
}

const beyond: [text: string, pointer: string][] = [
  ['1e999', ''],
  ['{"a":-1e999}', '/a'],
  ['[0,{"a/b":{"c~d":[1e400]}}]', '/1/a~1b/c~0d/0'],
]

for (const [text, pointer] of beyond) {
  test(`${text} is refused with the pointer "${pointer}"`, () => {
    assert.throws(() => parseJson(text), { name: 'JsonError', pointer })
  })
}

test('B8: a key of every object is a key, and changes no other object', () => {
  const value = parseJson('{"__proto__":{"polluted":true}}') as object
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.ok(Object.hasOwn(value, '__proto__'))
})

test('only {…} is an object', () => {
  assert.ok(isObject({}))
  for (const value of [null, [], 1, 'x', undefined]) assert.ok(!isObject(value))
})

test('what JSON cannot hold is refused when it is written', () => {
  assert.equal(toJson(undefined), undefined)
  assert.equal(toJson({ a: 1 }), '{"a":1}')
  for (const value of [() => {}, Symbol('x'), 1n]) assert.throws(() => toJson(value), TypeError)
})
