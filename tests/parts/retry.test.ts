import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffAfter, isRetryable, NonRetryableError } from '../../lib/retry.ts'
import { revokedProxy } from '../basics.ts'

const HOUR = 3_600_000 // milliseconds

const waits: [attempt: number, base: number, most: number][] = [
  [1, 500, 500],
  [2, 500, 1_000],
  [5, 500, 8_000],
  [1, 2 * HOUR, HOUR],
  [14, 500, HOUR],
  [2_000, 500, HOUR],
]

for (const [attempt, base, most] of waits) {
  test(`after attempt ${attempt} the wait from ${base} ms is anything up to ${most} ms`, () => {
    const all = Array.from({ length: 1_000 }, () => backoffAfter(attempt, base))
    for (const wait of all) assert.ok(wait >= 0 && wait <= most, String(wait))
    assert.ok(Math.min(...all) < most / 4)
    assert.ok(Math.max(...all) > (most * 3) / 4)
  })
}

for (const attempt of [1, 1_024, 1_025, 1_000_000]) {
  test(`without a backoff there is no wait after attempt ${attempt}`, () => {
    assert.equal(backoffAfter(attempt, 0), 0)
  })
}

class Fatal extends NonRetryableError {}

const errors: [what: string, error: unknown, isAgain: boolean][] = [
  ['an error', new Error('no'), true],
  ['nothing', undefined, true],
  ['what only has the name', { name: 'NonRetryableError' }, true],
  ['a revoked proxy', revokedProxy(), true],
  ['a NonRetryableError', new NonRetryableError('no'), false],
  ['a kind of it', new Fatal('no'), false],
]

for (const [what, error, isAgain] of errors) {
  test(`a task that threw ${what} is ${isAgain ? '' : 'not '}tried again`, () => {
    assert.equal(isRetryable(error), isAgain)
  })
}
