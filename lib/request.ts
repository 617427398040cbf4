// A request as a value: what the handlers see of it. Its body is read only when asked for, and then
// within limits; `replied` is the moment at which work may start behind the reply.

import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { digestOf } from './digest.ts'
import { splitTarget } from './framing.ts'
import type { Identity } from './identity.ts'
import { isObject, JsonError, parseJson } from './json.ts'
import { HttpError, unprocessable } from './reply.ts'

/** A client that never reads its reply holds its tasks back so many milliseconds at most. */
const MAX_WAIT_FOR_READER = 5_000

const NOTHING = new URLSearchParams() // for who only looks at it
const PROCESS = randomBytes(8).toString('hex') // so that no other has the same ids
let requests = 0

export interface RequestOptions {
  /** Bytes of a body. */
  readonly maxBody: number
  /** Who sent it. Throws an `HttpError` for whoever can't be known. */
  readonly identify: (req: IncomingMessage, query: URLSearchParams) => Identity
}

export class Request {
  readonly method: string
  readonly path: string
  /** The client's own `X-Request-Id` if it is sane, otherwise a new one. */
  readonly id: string
  /** As the table of routes has it; `none` where that has nothing. */
  route = 'none'
  params: Readonly<Record<string, string>> = {}
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #options: RequestOptions
  readonly #queryText: string
  #query: URLSearchParams | undefined
  #identity: Identity | undefined
  #json: Promise<Record<string, unknown>> | undefined
  #body: Buffer | undefined
  #replied: Promise<void> | undefined
  #endReply: (() => void) | undefined

  constructor(req: IncomingMessage, res: ServerResponse, options: RequestOptions) {
    const { path, query } = splitTarget(req.url ?? '')
    this.method = req.method ?? ''
    this.path = path
    this.#queryText = query
    this.id = requestId(req.headers['x-request-id'])
    this.#req = req
    this.#res = res
    this.#options = options
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#queryText)
    return this.#query
  }

  /**
   * Who sent it. Throws a 401 for whoever can't prove it. Called already for whatever changes
   * something; what is only read (`GET`) is for everybody, unless its handler calls this.
   */
  authenticate(): Identity {
    const query = this.#queryText === '' ? NOTHING : this.query
    this.#identity ??= this.#options.identify(this.#req, query)
    return this.#identity
  }

  /**
   * Resolves when the reply is over: sent in full, lost with its client, or unread for 5 s. It never
   * rejects. Told by `close`, since `finish` does not come when the client hangs up first
   * (https://github.com/Kludex/starlette/issues/1438 is what then becomes of the work).
   */
  get replied(): Promise<void> {
    this.#replied ??= new Promise((resolve) => {
      this.#endReply = resolve
      if (this.#res.closed || this.#req.socket.destroyed) resolve()
      else this.#res.on('close', resolve)
    })
    return this.#replied
  }

  /** To be called when the reply was handed to Node, and not all of it taken: it is its client's turn. */
  unread(): void {
    if (!this.#endReply || this.#res.closed) return
    const timer = setTimeout(this.#endReply, MAX_WAIT_FOR_READER).unref()
    this.#res.once('close', () => clearTimeout(timer))
  }

  /** Whether a body comes with the request, be it an empty one in chunks. */
  get hasBody(): boolean {
    const { 'content-length': length = '0', 'transfer-encoding': coding } = this.#req.headers
    return coding !== undefined || Number(length) > 0
  }

  /**
   * What makes a POST that is sent again the same one: of an `Idempotency-Key`, which is of one user
   * and route, and of what was asked for
   * (https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/). Both undefined
   * without the header. Throws a 400 for a key that is none. To be called when the body was read.
   */
  idempotency(user: string): { key?: string; digest?: string } {
    const key = this.#req.headers['idempotency-key']
    if (key === undefined) return {}
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
      throw new HttpError(400, 'expected an Idempotency-Key of 1 to 255 visible characters')
    }
    const query = new URLSearchParams(this.query)
    query.delete('token') // which may be another when the request is sent again
    query.sort()
    return {
      key: digestOf(user, this.route, ...Object.values(this.params), key),
      digest: digestOf(query.toString(), this.#body),
    }
  }

  /** Reads the body. Throws a 413, 415 or 400 for what is no JSON, a 422 for any but an object. */
  json(): Promise<Record<string, unknown>> {
    this.#json ??= this.#read((body) => {
      this.#body = body
      return parse(body)
    })
    return this.#json
  }

  // From the headers alone, so that a bad body is refused unread.
  #checkBody(): void {
    const { headers } = this.#req
    if (Number(headers['content-length'] ?? 0) > this.#options.maxBody) throw this.#tooLarge()
    if (!this.hasBody) throw new HttpError(400, 'expected a JSON body, got none')
    if (headers['content-encoding'] !== undefined) {
      throw new HttpError(415, 'expected a body without Content-Encoding')
    }
    if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(headers['content-type'] ?? '')) {
      throw new HttpError(415, 'expected Content-Type: application/json')
    }
  }

  #read<T>(use: (body: Buffer) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#checkBody()
      // The client holds its body back until it hears this: nobody asked for it before the checks.
      const { expect } = this.#req.headers
      if (expect !== undefined && this.#req.httpVersion === '1.1') this.#res.writeContinue()

      const chunks: Buffer[] = []
      let bytes = 0
      this.#req.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes <= this.#options.maxBody) return void chunks.push(chunk)
        this.#req.removeAllListeners('data').pause()
        reject(this.#tooLarge())
      })
      this.#req.on('end', () => {
        try {
          resolve(use(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
        } catch (error) {
          reject(error)
        }
      })
      this.#req.on('close', () => {
        if (!this.#req.readableEnded) reject(lost()) // an error has a stack, which costs
      })
      if (this.#req.destroyed) reject(lost())
    })
  }

  #tooLarge(): HttpError {
    // What is still to come must not be read, so this connection has no next request.
    const headers = { connection: 'close' }
    return new HttpError(413, `expected a body of at most ${this.#options.maxBody} bytes`, {
      headers,
    })
  }
}

function lost(): HttpError {
  return new HttpError(400, 'the body ended before it was whole')
}

function requestId(given: string | string[] | undefined): string {
  const isSane = typeof given === 'string' && /^[\w.:@-]{1,128}$/.test(given)
  return isSane ? given : `${PROCESS}-${(requests++).toString(36)}`
}

function parse(body: Buffer): Record<string, unknown> {
  // `toString` would turn what is no UTF-8 into U+FFFD and say nothing.
  if (!isUtf8(body)) throw new HttpError(400, 'expected UTF-8')
  const value = parseAny(body.toString())
  if (isObject(value)) return value
  throw unprocessable('', 'expected a JSON object')
}

function parseAny(text: string): unknown {
  try {
    return parseJson(text)
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause
    const { message, pointer } = cause
    if (pointer === undefined) throw new HttpError(400, message, { cause })
    throw unprocessable(pointer, message)
  }
}
