// Tickets: for browsers, which can't send a header along with a WebSocket. One is signed like a token,
// lasts 30 s, and is good for one handshake. Which ones were used is in memory only: a restart forgets
// it, and so does not stop a second use in what is left of the 30 s.

import { randomUUID } from 'node:crypto'
import { type Identity, identityOf } from './identity.ts'
import { signJwt, verifyJwt } from './jwt.ts'
import { HttpError, RETRY_SOON } from './reply.ts'

export const TICKET = 'ticket+jwt' // its `typ`: no ticket passes for a token, and no token for it

const LIFETIME = 30_000 // milliseconds
const MAX_USED = 100_000 // tickets that are remembered

export class Tickets {
  readonly #secret: string
  readonly #maxUsed: number
  readonly #used = new Map<string, number>() // by id, oldest use first: when it expires

  constructor(secret: string, maxUsed: number = MAX_USED) {
    this.#secret = secret
    this.#maxUsed = maxUsed
  }

  /** Never good for longer than the token that it stands for, whose end it carries as `until`. */
  make({ user, isAdmin, expires }: Identity): string {
    const end = Date.now() + LIFETIME
    const until = expires ?? end
    const exp = Math.min(end, until) / 1_000
    const claims = { sub: user, admin: isAdmin, jti: randomUUID(), exp, until: until / 1_000 }
    return signJwt(claims, this.#secret, TICKET)
  }

  /**
   * Whoever it was made for. Undefined if it is none, has expired, or was used before. Throws a 503
   * when so many were used that this one could not be remembered. When `check` throws it stays good.
   */
  redeem(
    ticket: string,
    check: (identity: Identity) => void = () => {},
    now: number = Date.now(),
  ): Identity | undefined {
    const claims = verifyJwt(ticket, this.#secret, TICKET, now)
    if (!claims || typeof claims.jti !== 'string' || this.#used.has(claims.jti)) return undefined
    this.#forget(now)
    if (this.#used.size >= this.#maxUsed) {
      throw new HttpError(503, 'too many tickets were used in a short time', RETRY_SOON)
    }
    const identity = identityOf({ ...claims, exp: Number(claims.until) })
    if (identity) check(identity)
    this.#used.set(claims.jti, claims.exp * 1_000)
    return identity
  }

  // One that was used early may keep a few behind it a little longer.
  #forget(now: number): void {
    for (const [id, expires] of this.#used) {
      if (expires > now) return
      this.#used.delete(id)
    }
  }
}
