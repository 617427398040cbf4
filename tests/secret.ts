// Tokens for the tests. Those of a whole server import tokens.ts, which has all of this as well.

import { type Claims, signJwt } from '../lib/jwt.ts'

export const SECRET = 'test-only-secret-of-more-than-32-bytes'

/** Seconds since 1970, so many from now. */
export const inSeconds = (seconds: number) => Date.now() / 1_000 + seconds

/** A token of this server; good for a minute, unless the claims say otherwise. */
export const tokenOf = (sub: unknown, claims: Partial<Claims> = {}) =>
  signJwt({ sub, exp: inSeconds(60), ...claims }, SECRET)

/** The header with which a user sends a request. */
export const as = (sub: unknown, claims: Partial<Claims> = {}) => ({
  authorization: `Bearer ${tokenOf(sub, claims)}`,
})

export const ADMIN = { admin: true }
