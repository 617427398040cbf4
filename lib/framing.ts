// What Node lets through although HTTP does not: two Hosts, HTTP/2.0 in plain text, `GET *`, an
// empty Transfer-Encoding. Requests and upgrades are both checked here before anything reads them.

import type { IncomingMessage } from 'node:http'
import { HttpError } from './reply.ts'

const MAX_HEADERS = 100
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** Throws the 4xx or the 505 that a malformed request deserves (RFC 9112 §2.3, §3.2, §6.1). */
export function checkFraming(req: IncomingMessage): void {
  const { rawHeaders, headers, httpVersion } = req
  if (rawHeaders.length > 2 * MAX_HEADERS) throw new HttpError(431)
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw new HttpError(505)

  // The parsed headers keep the first Host only, so that a second one would go unnoticed.
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) if (isHost(rawHeaders[i]!)) hosts++
  if (hosts !== 1) throw new HttpError(400, `expected one Host header, got ${hosts}`)
  if (!HOST.test(headers.host!)) throw new HttpError(400, 'the Host header is malformed')

  const { expect } = headers
  if (expect !== undefined && !/^100-continue$/i.test(expect)) throw new HttpError(417)

  const coding = headers['transfer-encoding']
  if (coding === undefined) return
  if (httpVersion === '1.0' || coding.toLowerCase() !== 'chunked') {
    throw new HttpError(400, 'expected chunked or no Transfer-Encoding')
  }
}

function isHost(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === 'host'
}

/** Splits a request target at its `?`. Never resolved against a base: `//host/` would become one. */
export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?')
  if (mark < 0) return { path: target, query: '' }
  return { path: target.slice(0, mark), query: target.slice(mark + 1) }
}
