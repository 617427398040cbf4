// Values out of a query, which are text: each is undefined if it is not there, and what can't be meant,
// or is there twice, is a 422 that names it.

import { unprocessable } from './reply.ts'

/** A whole number. */
export function wholeOf(query: URLSearchParams, name: string, least: number, most: number) {
  const text = textOf(query, name)
  if (text === undefined) return undefined
  // Leading zeros are fine, but not any number of them.
  const isShort = text.length <= Math.max(9, String(most).length)
  const value = /^\d+$/.test(text) && isShort ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw unprocessable(name, `expected a whole number from ${least} to ${most}`)
}

/** `true` or `false`. */
export function flagOf(query: URLSearchParams, name: string): boolean | undefined {
  const text = textOf(query, name)
  if (text === undefined) return undefined
  if (text === 'true' || text === 'false') return text === 'true'
  throw unprocessable(name, 'expected true or false')
}

function textOf(query: URLSearchParams, name: string): string | undefined {
  const [text, ...more] = query.getAll(name)
  if (more.length === 0) return text
  throw unprocessable(name, 'expected it once')
}
