// Who is asking. This server is open: a user is whoever the query `?user=` says, on HTTP and on
// sockets. That is why it listens on this machine only (see `config.ts`).

import { randomBytes } from 'node:crypto'
import { isName, NAME_RULE } from './names.ts'
import { unprocessable } from './reply.ts'

export interface Identity {
  readonly user: string
  readonly isAdmin: boolean
  readonly isGuest: boolean
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined
}

/** The user's name, a new guest's where none is given. Throws a 422 for what is no name. */
export function identify(query: URLSearchParams): string {
  const user = query.get('user')
  if (user === null) return `guest-${randomBytes(4).toString('hex')}`
  if (isName(user)) return user
  throw unprocessable('user', `expected a user name: ${NAME_RULE}`)
}
