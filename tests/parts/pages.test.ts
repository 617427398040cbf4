import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pages } from '../../lib/pages.ts'

test('each number is found until it is deleted, and they come in order', () => {
  const pages = new Pages<string>()
  for (let n = 0; n < 2_000; n++) pages.set(n, `item ${n}`)
  for (let n = 0; n < 2_000; n++) if (n % 500 !== 7) pages.delete(n)
  assert.deepEqual([...pages.values()], ['item 7', 'item 507', 'item 1007', 'item 1507'])
  assert.equal(pages.get(507), 'item 507')
  for (const unknown of [6, 1_999, 2_000, -1, 0.5, Number.NaN, 507 + 2 ** 32]) {
    assert.equal(pages.get(unknown), undefined, String(unknown))
  }
})

test('numbers beyond 32 bits are numbers as well', () => {
  const pages = new Pages<string>()
  pages.set(2 ** 40, 'far')
  assert.equal(pages.get(2 ** 40), 'far')
  pages.delete(2 ** 40)
  assert.deepEqual([...pages.values()], [])
})
