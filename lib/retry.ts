// Whether and when a task that failed is tried again.

import { isA } from './errors.ts'

/** Thrown by a task that would fail the same way again: it is failed at once, whatever is left. */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError'
}

export function isRetryable(error: unknown): boolean {
  return !isA(error, NonRetryableError)
}

export const MAX_BACKOFF = 3_600_000 // milliseconds

/**
 * Milliseconds until the next attempt after so many: exponential with full jitter, so that what
 * failed together does not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backoffAfter(attempt: number, base: number): number {
  const doublings = Math.min(attempt - 1, 40) // 2 ** 1024 is infinite, and nothing times that NaN
  return Math.random() * Math.min(base * 2 ** doublings, MAX_BACKOFF)
}
