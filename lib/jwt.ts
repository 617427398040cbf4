// JSON Web Tokens (RFC 7519), of the one kind that this server makes and takes: signed with HS256
// (RFC 7515), and with an end. What a token says of itself decides nothing: the algorithm is pinned,
// and nothing in it is parsed before its signature was checked. Times are those of the wall clock,
// without leeway. No key ids, no other algorithm, no encryption.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { isObject } from './json.ts'

export interface Claims {
  /** Seconds since 1970, as is `nbf`. */
  readonly exp: number
  readonly [claim: string]: unknown
}

const TOKEN = 'JWT'
const MAX_SECONDS = 8_640_000_000_000 // what a `Date` can hold

export function signJwt(claims: Claims, secret: string, type: string = TOKEN): string {
  const input = `${encode({ alg: 'HS256', typ: type })}.${encode(claims)}`
  return `${input}.${signatureOf(input, secret)}`
}

/**
 * The claims of a token that is valid now and of this type. Undefined for any other, and for what is
 * no token at all.
 */
export function verifyJwt(
  token: string,
  secret: string,
  type: string = TOKEN,
  now: number = Date.now(),
): Claims | undefined {
  const [header = '', payload = '', signature = '', ...more] = token.split('.', 4)
  const isSigned = isEqual(signature, signatureOf(`${header}.${payload}`, secret))
  if (more.length > 0 || !isSigned || !isRight(decode(header), type)) return undefined
  const claims = decode(payload)
  return isCurrent(claims, now / 1_000) ? claims : undefined
}

function signatureOf(input: string, secret: string): string {
  return createHmac('sha256', secret).update(input).digest('base64url')
}

// As texts: the same bytes can be spelled in several ways, and only one of them is a signature.
function isEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}

// Tokens are told from what else is signed with the same secret by `typ`, which they may leave out
// (RFC 8725 §3.11). What is `crit` would have to be understood (RFC 7515 §4.1.11): nothing is.
function isRight(header: unknown, type: string): boolean {
  if (!isObject(header) || header.alg !== 'HS256' || 'crit' in header) return false
  return header.typ === type || (header.typ === undefined && type === TOKEN)
}

function isCurrent(claims: unknown, now: number): claims is Claims {
  if (!isObject(claims)) return false
  const { exp, nbf = 0 } = claims
  return isTime(exp) && isTime(nbf) && nbf <= now && now < exp
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_SECONDS
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return undefined
  }
}
