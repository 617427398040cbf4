// The page's small helpers, as far as they need no page.

import assert from 'node:assert/strict'
import { test } from 'node:test'

const { duration } = await import(String(new URL('../../static/dom.js', import.meta.url)))

for (const [milliseconds, words] of [
  [-1, '0 ms'],
  [-0.4, '0 ms'],
  [0, '0 ms'],
  [0.4, '0 ms'],
  [0.5, '1 ms'],
  [999, '999 ms'],
  [999.4, '999 ms'],
  [999.5, '1.00 s'],
  [1_000, '1.00 s'],
  [5_016, '5.02 s'],
  [99_994, '99.99 s'],
  [99_995, '100 s'],
  [3_600_000, '3600 s'],
] as const) {
  test(`${milliseconds} milliseconds are ${words}`, () => {
    assert.equal(duration(milliseconds), words)
  })
}
