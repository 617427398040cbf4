// Values out of a query, which are text: each is undefined if it is not there, and what can't be meant
// is a 422 that names it.

import { unprocessable } from './reply.ts'

/** A whole number. */
export function wholeOf(query: URLSearchParams, name: string, least: number, most: number) {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
  throw unprocessable(name, `expected a whole number from ${least} to ${most}`)
}

/** `true` or `false`. */
export function flagOf(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (text === 'true' || text === 'false') return text === 'true'
  throw unprocessable(name, 'expected true or false')
}
