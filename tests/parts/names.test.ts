import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isName } from '../../lib/names.ts'

test('a name is 1 to 64 of a few characters', () => {
  for (const name of ['a', 'alice@example.com', 'A-b_c.9', 'x'.repeat(64)]) assert.ok(isName(name))
  for (const name of ['', 'a b', 'a/b', 'é', 'a\n', 'x'.repeat(65)]) assert.ok(!isName(name))
})
