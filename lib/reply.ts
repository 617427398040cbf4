// Replies as values: what a handler returns, and the one error whose text a client may read.
// A reply is made and tested without a socket; `http.ts` and the WebSocket gate write it.

import { STATUS_CODES } from 'node:http'
import { isA } from './errors.ts'

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}

export function json(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify(value)}\n`,
  }
}

/** One wrong place in what came: a JSON Pointer into the body (RFC 6901), or a parameter's name. */
export interface Fault {
  readonly pointer: string
  readonly detail: string
}

/** An error whose message the client may read. Any other becomes a bare 500, and is logged. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly status: number
  readonly headers: Reply['headers']
  readonly errors: readonly Fault[] | undefined

  constructor(
    status: number,
    message: string = STATUS_CODES[status] ?? 'Error',
    options: ErrorOptions & { headers?: Reply['headers']; errors?: readonly Fault[] } = {},
  ) {
    super(message, options)
    this.status = status
    this.headers = options.headers ?? {}
    this.errors = options.errors
  }
}

/** A 422 that names the wrong place. */
export function unprocessable(pointer: string, detail: string): HttpError {
  return new HttpError(422, detail, { errors: [{ pointer, detail }] })
}

/** The problem document for an error (RFC 9457). What is no `HttpError` says nothing but 500. */
export function problem(error: unknown): Reply {
  if (!isA(error, HttpError)) return problem(new HttpError(500))

  const { status, message: detail, headers, errors } = error
  const document = { type: 'about:blank', title: STATUS_CODES[status], status, detail, errors }
  return json(status, document, { 'content-type': 'application/problem+json', ...headers })
}

/** For a refusal that is over soon. */
export const RETRY_SOON = { headers: { 'retry-after': '1' } } as const
