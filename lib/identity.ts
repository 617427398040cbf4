// Who is asking, once that is known, and how a token says it.

import { randomBytes } from 'node:crypto'
import type { Claims } from './jwt.ts'
import { isName } from './names.ts'

export interface Identity {
  /** A name as in `names.ts`. */
  readonly user: string
  /** Sees all tasks and the server's figures. On an open server everybody does. */
  readonly isAdmin: boolean
  /** Only on an open server: a name that was made up for one request or one socket. */
  readonly isGuest: boolean
  /** Milliseconds since 1970: when the token ends by which it was proved. */
  readonly expires?: number
}

/** Somebody on an open server who gives no name: one is made up when it is asked for. */
export class Guest implements Identity {
  readonly isAdmin = true
  readonly isGuest = true
  #user: string | undefined

  get user(): string {
    this.#user ??= `guest-${randomBytes(4).toString('hex')}`
    return this.#user
  }
}

/** What a token's claims say. Undefined if `sub` is no name. */
export function identityOf({ sub, admin, exp }: Claims): Identity | undefined {
  if (typeof sub !== 'string' || !isName(sub)) return undefined
  return { user: sub, isAdmin: admin === true, isGuest: false, expires: exp * 1_000 }
}

/** Whose tasks somebody may see. Undefined: everybody's. */
export function ownerFor({ user, isAdmin }: Identity): string | undefined {
  return isAdmin ? undefined : user
}
