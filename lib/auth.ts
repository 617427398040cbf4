// How somebody proves who they are. With a secret: by one token (`jwt.ts`), or for a socket by one
// ticket (`ticket.ts`). Without one the server is open: a user is whoever the query `?user=` says.
// That is why it then listens on this machine only (see `config.ts`). No passwords, no sessions, and
// no token is taken back before it expires.

import type { IncomingMessage } from 'node:http'
import { Guest, type Identity, identityOf } from './identity.ts'
import { verifyJwt } from './jwt.ts'
import { isName, NAME_RULE } from './names.ts'
import { offeredBy } from './protocol.ts'
import { HttpError, unprocessable } from './reply.ts'
import { Tickets } from './ticket.ts'

type Head = Pick<IncomingMessage, 'headers' | 'rawHeaders'>

const OFFERED = 'bearer.' // ahead of a token, among the subprotocols that a client offers
const GOOD_TOKEN = `a token signed with AUTH_SECRET (HS256), exp to come, sub a name (${NAME_RULE})`
const GOOD_TICKET = 'a ticket from POST /ticket, at most 30 s old and not used before'

export class Auth {
  readonly #secret: string | undefined
  readonly #tickets: Tickets | undefined

  constructor(secret: string | undefined) {
    this.#secret = secret
    this.#tickets = secret === undefined ? undefined : new Tickets(secret)
  }

  get isOpen(): boolean {
    return this.#secret === undefined
  }

  /** Of a request: `Authorization: Bearer` or `?token=`. Throws a 401; if open, a 422 for a bad name. */
  identify(req: Head, query: URLSearchParams): Identity {
    if (this.#secret === undefined) return named(query)
    const tokens = tokensOf(req, query)
    return this.#verify(onlyOf(tokens, 'Authorization: Bearer, or ?token='), this.#secret)
  }

  /**
   * Of a handshake: the same, the subprotocol `bearer.TOKEN`, or `?ticket=`, which is used up: but not
   * if `check` throws. Of an open server nobody is checked, since there a name proves nothing.
   */
  identifySocket(
    req: Head,
    query: URLSearchParams,
    check: (identity: Identity) => void = () => {},
  ): Identity {
    if (this.#secret === undefined) return named(query)
    const tokens = [...tokensOf(req, query), ...bearersOffered(req)]
    const tickets = query.getAll('ticket')
    const ways = `Authorization: Bearer, the subprotocol ${OFFERED}TOKEN, ?ticket= or ?token=`
    const credential = onlyOf([...tokens, ...tickets], ways)
    if (tickets.length > 0) {
      return this.#tickets?.redeem(credential, check) ?? refused(GOOD_TICKET)
    }
    const identity = this.#verify(credential, this.#secret)
    check(identity)
    return identity
  }

  /** A ticket for one WebSocket. Undefined on an open server, which has none. */
  ticketFor(identity: Identity): string | undefined {
    return this.#tickets?.make(identity)
  }

  #verify(token: string, secret: string): Identity {
    const claims = verifyJwt(token, secret)
    return (claims && identityOf(claims)) ?? refused(GOOD_TOKEN)
  }
}

function named(query: URLSearchParams): Identity {
  const user = query.get('user')
  if (user === null) return new Guest()
  if (isName(user)) return { user, isAdmin: true, isGuest: false }
  throw unprocessable('user', `expected a user name: ${NAME_RULE}`)
}

function tokensOf(req: Head, query: URLSearchParams): string[] {
  return [...bearersOf(req), ...query.getAll('token')]
}

// Node's parsed headers keep the first Authorization only, so that a second one would go unnoticed.
function bearersOf({ rawHeaders }: Head): string[] {
  const isNamed = (at: number) => /^authorization$/i.test(rawHeaders[at - 1] ?? '')
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && isNamed(at)) // names stand before them
  if (values.length > 1) return values // two, whatever their schemes
  const [scheme, token = ''] = values[0]?.split(/ +(.*)/s) ?? []
  return scheme?.toLowerCase() === 'bearer' ? [token] : []
}

function bearersOffered({ headers }: Head): string[] {
  const offered = offeredBy(headers['sec-websocket-protocol'])
  return offered.flatMap((name) => (name.startsWith(OFFERED) ? name.slice(OFFERED.length) : []))
}

// What is said here is nothing of the token, and not what of it was wrong.
function onlyOf(credentials: readonly string[], ways: string): string {
  const [only, ...more] = credentials
  if (only === undefined) throw unauthorized(`expected a token: ${ways}`, 'Bearer')
  if (more.length === 0) return only
  return refused(`one token, got ${credentials.length}`)
}

function refused(expected: string): never {
  throw unauthorized(`expected ${expected}`, 'Bearer error="invalid_token"')
}

// With the challenge that RFC 6750 §3 asks for.
function unauthorized(detail: string, challenge: string): HttpError {
  return new HttpError(401, detail, { headers: { 'www-authenticate': challenge } })
}
