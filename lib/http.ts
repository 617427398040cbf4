// The HTTP server: limits, one way in (a request as a value), one way out (a reply as a value), and
// one funnel for everything that is thrown on the way. Past the first byte of a reply nothing can be
// taken back: then the connection is cut, which is honest.

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { Connections } from './connections.ts'
import { isA } from './errors.ts'
import { checkFraming } from './framing.ts'
import { type Log, withFields } from './log.ts'
import type { Counter, Family, Metrics } from './metrics.ts'
import type { Origins } from './origin.ts'
import { HttpError, problem, type Reply } from './reply.ts'
import { Request, type RequestOptions } from './request.ts'
import type { Router } from './router.ts'
import { refuse, send } from './send.ts'
import { within } from './within.ts'

export interface HttpOptions extends RequestOptions {
  readonly router: Router
  readonly origins: Origins
  readonly log: Log
  readonly metrics: Metrics
  /** All TCP connections, upgraded ones too. */
  readonly maxConnections: number
  /** True from the moment on at which the server was asked to stop. */
  readonly isDraining: () => boolean
  /** Turns an error of another part into the one that the client gets, or returns it as it is. */
  readonly translate: (error: unknown) => unknown
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** Methods that change nothing (RFC 9110 §9.2.1): any other asks for an Origin of ours, and a user. */
const SAFE = /^(GET|HEAD|OPTIONS|TRACE)$/

/** Probes come by address, so these two answer to any Host. */
const ANY_HOST = /^\/(healthz|readyz)\/?$/

const CUT_GRACE = 100 // milliseconds for what was cut off to end

/** What the parser's errors mean; any other is a 400. */
const UNPARSED: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

export class HttpServer {
  readonly #options: HttpOptions
  readonly #server: Server
  readonly #connections: Connections
  readonly #requests: Family<Counter>
  readonly #counters = new Map<string, Map<number, Counter>>() // of these, by route and status

  constructor(options: HttpOptions) {
    this.#options = options
    this.#requests = options.metrics.counter('http_requests_total', 'By route and status.')
    this.#server = createServer({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
      requireHostHeader: false, // `checkFraming` does, with a problem document
      // From Node 22.21 and 24.9 on: h2c is then served as if it had not been asked for.
      shouldUpgradeCallback: (req) => req.headers.upgrade?.toLowerCase() === 'websocket',
    })
    this.#server.maxHeadersCount = 0 // Node would drop what is above; `checkFraming` refuses it
    this.#server.maxRequestsPerSocket = 1_000
    this.#connections = new Connections(this.#server, options.maxConnections)

    const listener = (req: IncomingMessage, res: ServerResponse) => this.#receive(req, res)
    this.#server.on('request', listener)
    this.#server.on('checkContinue', listener) // Node would ask for the body before it is wanted
    this.#server.on('checkExpectation', listener)
    this.#server.on('clientError', (error, socket) => this.#refuseUnparsed(error, socket))
    this.#server.on('upgrade', (req, socket, head) => this.#upgrade(req, socket, head))
  }

  /** Resolves to the port. Rejects if the address can't be had. */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    // Without a listener, a connection that can't be accepted would end the process.
    this.#server.on('error', (error) => this.#options.log.error('not accepted', { error }))
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes no more connections, and cuts off what would not be over in so many milliseconds. */
  async close(milliseconds: number): Promise<void> {
    const deadline = performance.now() + milliseconds
    const grace = Math.min(CUT_GRACE, milliseconds / 10)
    const closed = new Promise((resolve) => this.#server.close(resolve))
    await within(milliseconds - grace, this.#connections.whenIdle())
    this.#server.closeAllConnections()
    // A refused upgrade that nobody reads is no connection of Node's any more, and ends by itself.
    const ended = Promise.all([closed, this.#connections.whenIdle()])
    await within(Math.max(0, deadline - performance.now()), ended)
  }

  // Behind a request that still waits for its reply, that reply would end up among the frames.
  #upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#connections.repliesOn(socket).length > 0) return void socket.destroy()
    this.#connections.upgrade(socket)
    this.#options.upgrade(req, socket, head)
  }

  // What every request goes through from here on is kept short: few promises, few listeners, no text
  // put together that nobody reads. A microsecond here is a twentieth of what Node itself takes.
  #receive(req: IncomingMessage, res: ServerResponse): void {
    res.on('error', ignore) // a write to a client that has left; `close` is what counts
    const turn = this.#connections.begin(req, res)
    if (turn) turn.then((isThere) => isThere && this.#respond(req, res))
    else this.#respond(req, res)
  }

  #respond(req: IncomingMessage, res: ServerResponse): void {
    const request = new Request(req, res, this.#options)
    withFields({ requestId: request.id }, () => this.#serve(req, res, request))
  }

  // Never rejects: whatever is thrown on the way becomes a reply.
  async #serve(req: IncomingMessage, res: ServerResponse, request: Request): Promise<void> {
    const started = performance.now()
    let reply: Reply
    try {
      reply = await this.#handle(req, request)
      if (!reply?.status) throw new TypeError('expected a reply, such as json(200, …)')
    } catch (error) {
      await null // in this turn the parser may still refuse what it has read, and is answered for it
      reply = this.#refusal(error)
    }
    const { method, path, route } = request
    const lingering = this.#send(res, request, reply)
    if (lingering) await lingering
    const unread = res.writableLength // as far as can be known: the rest is with the kernel
    if (unread > 0) {
      this.#connections.unread(res, unread)
      request.unread()
    }
    this.#counterOf(route, res.statusCode).add()
    const ms = Math.round(performance.now() - started)
    this.#options.log.debug('replied', { method, path, status: res.statusCode, ms })
  }

  #handle(req: IncomingMessage, request: Request): Reply | Promise<Reply> {
    const { origins, router } = this.#options
    checkFraming(req)
    const isSafe = SAFE.test(request.method)
    if (!isSafe) origins.checkOrigin(req)
    if (!ANY_HOST.test(request.path)) origins.checkHost(req)
    const { route, handler, params } = router.find(request.method, request.path)
    request.route = route
    request.params = params
    if (!isSafe && !handler.isForAnyone) request.authenticate()
    return handler(request)
  }

  #refusal(cause: unknown): Reply {
    const error = this.#options.translate(cause)
    if (!isA(error, HttpError)) this.#options.log.error('request failed', { error })
    return problem(error)
  }

  // Undefined: it is with Node. Otherwise resolves when it is.
  #send(res: ServerResponse, { id }: Request, reply: Reply): Promise<void> | undefined {
    const isLast = this.#options.isDraining()
    try {
      return send(res, reply, id, isLast)
    } catch (error) {
      // A handler returned a header with a line feed in it, for instance.
      this.#options.log.error('reply failed', { error })
      if (!res.headersSent) return send(res, problem(error), id, isLast)
      res.destroy()
      return undefined
    }
  }

  #counterOf(route: string, status: number): Counter {
    const known = this.#counters.get(route)?.get(status)
    if (known) return known
    const counter = this.#requests.of({ route, status: String(status) })
    const counters = this.#counters.get(route) ?? new Map<number, Counter>()
    this.#counters.set(route, counters.set(status, counter))
    return counter
  }

  // What the parser refused never became a request. Node would answer it without a body.
  #refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
    const replies = this.#connections.repliesOn(socket)
    // Behind the last request there is nothing to answer; its own reply is still to come.
    if (error.code === 'HPE_CLOSED_CONNECTION' && replies.length > 0) return
    const isMidReply = replies.some((res) => res.headersSent)
    if (isMidReply || error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else refuse(socket, new HttpError(UNPARSED[error.code ?? ''] ?? 400))
  }
}

function ignore(): void {}
