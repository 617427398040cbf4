// The HTTP server: limits, one way in (a request as a value), one way out (a reply as a value), and
// one funnel for everything that is thrown on the way. Past the first byte of a reply nothing can be
// taken back: then the connection is cut, which is honest.

import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { Crowd } from './crowd.ts'
import { checkFraming } from './framing.ts'
import { type Log, withFields } from './log.ts'
import type { Origins } from './origin.ts'
import { HttpError, problem, type Reply } from './reply.ts'
import { Request } from './request.ts'
import type { Router } from './router.ts'
import { within } from './within.ts'

export interface HttpOptions {
  readonly router: Router
  readonly origins: Origins
  readonly log: Log
  /** Bytes of a request's body. */
  readonly maxBody: number
  /** All TCP connections, upgraded ones too. */
  readonly maxConnections: number
  /** True from the moment on at which the server was asked to stop. */
  readonly isDraining: () => boolean
  /** Turns an error of another part into the one that the client gets, or returns it as it is. */
  readonly translate: (error: unknown) => unknown
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** Probes come by address, so these two answer to any Host. */
const ANY_HOST: ReadonlySet<string> = new Set(['/healthz', '/readyz'])

export class HttpServer {
  readonly #options: HttpOptions
  readonly #server: Server
  readonly #replies = new Crowd<ServerResponse>() // under way

  constructor(options: HttpOptions) {
    this.#options = options
    this.#server = createServer({
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 5_000,
      maxHeaderSize: 16_384,
      requireHostHeader: false, // `checkFraming` does, with a problem document
    })
    this.#server.timeout = 60_000 // a connection on which nothing moves
    this.#server.maxHeadersCount = 0 // Node would drop what is above; `checkFraming` refuses it
    this.#server.maxRequestsPerSocket = 1_000
    this.#server.maxConnections = options.maxConnections

    const listener = (req: IncomingMessage, res: ServerResponse) => this.#respond(req, res)
    this.#server.on('request', listener)
    this.#server.on('checkContinue', listener) // Node would ask for the body before it is wanted
    this.#server.on('clientError', (error, socket) => this.#refuseUnparsed(error, socket))
    this.#server.on('upgrade', options.upgrade)
  }

  /** Resolves to the port. Rejects if the address can't be had. */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  /** Takes no more connections. What is under way after so many milliseconds is cut off. */
  async close(milliseconds: number): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    await within(milliseconds, this.#replies.whenEmpty())
    this.#server.closeAllConnections()
    await closed
  }

  // Never rejects: whatever is thrown on the way becomes a reply.
  async #respond(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#replies.add(res)
    res.once('close', () => this.#replies.delete(res))
    res.on('error', () => {}) // a write to a client that has left; `close` is what counts
    const request = new Request(req, res, this.#options.maxBody)
    const started = performance.now()
    await withFields({ requestId: request.id }, async () => {
      const reply = await this.#answer(req, request)
      this.#send(res, request, reply)
      const ms = Math.round(performance.now() - started)
      const { method, path } = request
      this.#options.log.debug('replied', { method, path, status: reply.status, ms })
    })
  }

  async #answer(req: IncomingMessage, request: Request): Promise<Reply> {
    const { origins, router, translate, log } = this.#options
    try {
      checkFraming(req)
      if (request.method === 'POST' || request.method === 'DELETE') origins.checkOrigin(req)
      if (!ANY_HOST.has(request.path)) origins.checkHost(req)
      const { handler, params } = router.find(request.method, request.path)
      request.params = params
      const reply = await handler(request)
      if (reply?.status) return reply
      throw new TypeError(`${request.method} ${request.path}: expected a reply from the handler`)
    } catch (cause) {
      const error = translate(cause)
      if (!(error instanceof HttpError)) log.error('request failed', { error })
      return problem(error)
    }
  }

  #send(res: ServerResponse, request: Request, reply: Reply): void {
    try {
      res.statusCode = reply.status
      res.setHeader('x-content-type-options', 'nosniff')
      res.setHeader('x-request-id', request.id)
      if (this.#options.isDraining()) res.setHeader('connection', 'close')
      for (const [name, value] of Object.entries(reply.headers)) res.setHeader(name, value)
      if (request.method === 'HEAD') res.setHeader('content-length', Buffer.byteLength(reply.body))
      res.end(reply.body) // once and whole, so that Node knows the length, and what has no body
      request.sent()
    } catch (error) {
      // A handler returned a header with a line feed in it, for instance.
      this.#options.log.error('reply failed', { error })
      res.destroy()
    }
  }

  // What the parser refused never became a request. Node would answer it without a body.
  #refuseUnparsed(error: NodeJS.ErrnoException, socket: Duplex): void {
    const isMidReply = [...this.#replies].some((res) => res.socket === socket && res.headersSent)
    if (isMidReply || error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else refuse(socket, new HttpError(UNPARSED[error.code ?? ''] ?? 400))
  }
}

const UNPARSED: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}

/** Answers a raw socket, one that has no `ServerResponse`, and ends it. */
export function refuse(socket: Duplex, error: unknown): void {
  const { status, headers, body } = problem(error)
  const fields = Object.entries({
    ...headers,
    'x-content-type-options': 'nosniff',
    connection: 'close',
    'content-length': Buffer.byteLength(body),
  })
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`)
  // One that never reads would keep its end open for ever.
  const timer = setTimeout(() => socket.destroy(), 5_000).unref()
  socket.once('close', () => clearTimeout(timer))
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`
  socket.end(head + body, () => socket.destroy())
}
