// The gate before the WebSockets: each reason to refuse has a real HTTP answer, since a client that is
// cut off without one can't tell why. The order is cheapest first, and tells a stranger least.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { checkFraming, splitTarget } from './framing.ts'
import type { Identity } from './identity.ts'
import type { Log } from './log.ts'
import type { Origins } from './origin.ts'
import { MAX_FRAME, offeredBy, SUBPROTOCOL } from './protocol.ts'
import { HttpError, RETRY_SOON } from './reply.ts'
import { refuse } from './send.ts'
import { Tally } from './tally.ts'

export interface GateOptions {
  readonly path: string
  readonly origins: Origins
  readonly isDraining: () => boolean
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly maxConnectionsPerUser: number
  /** The client's address. */
  readonly addressOf: (req: IncomingMessage) => string
  /**
   * Who it is. Throws an `HttpError` for whom it does not let in. So may `check`, to be called before
   * a ticket is used up.
   */
  readonly identify: (req: IncomingMessage, query: URLSearchParams, check: Check) => Identity
  readonly log: Log
}

export interface Client {
  readonly address: string
  readonly identity: Identity
}

export type Check = (identity: Identity) => void
type Welcome = (socket: WebSocket, client: Client) => void

// Far below the defaults of `ws`: this is what one socket may cost before its first whole message.
const UPGRADER: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: MAX_FRAME,
  maxFragments: 64,
  maxBufferedChunks: 256,
  closeTimeout: 5_000, // milliseconds for a peer to answer a close; not in @types/ws 8.18
  // Only our own name is answered: the default repeats the first one offered, be it a token.
  handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
}

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i // of a subprotocol: a token (RFC 9110 §5.6.2)
const KEY = /^[+/0-9a-z]{22}==$/i // 16 bytes in base64 (RFC 6455 §4.1)

export class Gate {
  readonly #options: GateOptions
  readonly #upgrader = new WebSocketServer(UPGRADER)
  readonly #byAddress = new Tally()
  readonly #byUser = new Tally()

  constructor(options: GateOptions) {
    this.#options = options
    this.#upgrader.on('wsClientError', (error, socket) => {
      refuse(socket, new HttpError(400, error.message))
    })
  }

  /** Lets the client in, or answers why not. Who was let in has to be taken back with `leave`. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, welcome: Welcome): void {
    socket.on('error', destroy) // first: without it, a reset would end the process
    try {
      this.#check(req)
      const address = this.#options.addressOf(req)
      this.#checkAddress(address)
      const query = new URLSearchParams(splitTarget(req.url ?? '').query)
      // Last, since it may use up a ticket.
      const identity = this.#options.identify(req, query, (who) => this.#checkUser(who))
      this.#upgrader.handleUpgrade(req, socket, head, (webSocket) => {
        socket.off('error', destroy) // `ws` has its own now
        this.#byAddress.add(address)
        this.#byUser.add(identity.user)
        welcome(webSocket, { address, identity })
      })
    } catch (error) {
      if (!(error instanceof HttpError)) this.#options.log.error('upgrade failed', { error })
      refuse(socket, error)
    }
  }

  /** To be called when a client that was let in is gone. */
  leave({ address, identity }: Client): void {
    this.#byAddress.remove(address)
    this.#byUser.remove(identity.user)
  }

  #check(req: IncomingMessage): void {
    const { path, isDraining, origins, maxConnections } = this.#options
    // Where Node can be asked (see `http.ts`), a request for h2c never comes here.
    if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
      throw new HttpError(400, 'expected Upgrade: websocket, or none')
    }
    if (splitTarget(req.url ?? '').path !== path) throw new HttpError(404, 'no WebSocket is here')
    checkHandshake(req)
    if (isDraining()) throw new HttpError(503, 'the server is stopping', RETRY_SOON)
    origins.checkHost(req)
    origins.checkOrigin(req)
    if (this.#upgrader.clients.size < maxConnections) return
    throw new HttpError(503, 'too many connections', RETRY_SOON)
  }

  #checkAddress(address: string): void {
    if (this.#byAddress.of(address) < this.#options.maxConnectionsPerAddress) return
    throw new HttpError(429, 'too many connections from this address', RETRY_SOON)
  }

  #checkUser({ user }: Identity): void {
    if (this.#byUser.of(user) < this.#options.maxConnectionsPerUser) return
    throw new HttpError(429, 'too many connections of this user', RETRY_SOON)
  }
}

/** What a plain request for the WebSocket's path gets (RFC 9110 §15.5.22, RFC 6455 §4.4). */
export function upgradeRequired(): HttpError {
  const headers = {
    connection: 'upgrade, close',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
  }
  return new HttpError(426, 'expected a WebSocket handshake, version 13', { headers })
}

// `ws` checks the rest: the key, and the spelling of the subprotocols.
function checkHandshake(req: IncomingMessage): void {
  const { method, httpVersion, headers } = req
  if (method !== 'GET') throw new HttpError(405, 'expected GET', { headers: { allow: 'GET' } })
  checkFraming(req)
  if (httpVersion !== '1.1') throw new HttpError(400, 'expected HTTP/1.1')
  // Some versions of Node would take a body for frames, others throw it away.
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers
  if (coding !== undefined || Number(length) > 0) throw new HttpError(400, 'expected no body')
  // `ws` would take version 8 as well, a draft.
  if (headers['sec-websocket-version'] !== '13') throw upgradeRequired()
  // `ws` does so as well, but not before a ticket is used up.
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) throw new HttpError(400, 'expected a key')
  const offered = offeredBy(headers['sec-websocket-protocol'])
  const isList =
    offered.every((name) => NAME.test(name)) && new Set(offered).size === offered.length
  if (!isList) throw new HttpError(400, 'expected subprotocols, each one once')
  if (offered.length === 0 || offered.includes(SUBPROTOCOL)) return
  throw new HttpError(400, `expected the subprotocol ${SUBPROTOCOL} or none`)
}

// One for all sockets: a function for each would cost each of them.
function destroy(this: Duplex): void {
  this.destroy()
}
