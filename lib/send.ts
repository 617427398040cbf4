// How a reply goes out: its headers, its length, and what is left of a request whose reply is the
// connection's last.

import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { problem, type Reply } from './reply.ts'
import { within } from './within.ts'

type Headers = Record<string, string | number>

const LINGER = 1_000 // milliseconds

/**
 * Hands a reply to Node, whole and in one write. `isLast`: no request shall follow on its connection.
 * Undefined: done. Otherwise resolves when it is. Throws for a header that can't be sent.
 */
export function send(
  res: ServerResponse,
  { status, headers: given, body }: Reply,
  requestId: string,
  isLast: boolean,
): Promise<void> | undefined {
  const headers: Headers = {
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...inLowerCase(given),
  }
  if (isLast) headers.connection ??= 'close'
  // Node would know it as well, but only when the head is made behind the body, which costs more.
  if (status !== 204 && status !== 304) headers['content-length'] = Buffer.byteLength(body)
  res.writeHead(status, headers)
  const { req } = res
  // What is written in two parts to a connection that is cut may trip an assertion of Node's.
  if (!req.complete && !req.socket.destroyed && isClosing(res, headers)) return linger(res, body)
  res.end(body)
  return undefined
}

/** Answers a raw socket, one that has no `ServerResponse`, and ends it. */
export function refuse(socket: Duplex, error: unknown): void {
  const { status, headers, body } = problem(error)
  const fields = Object.entries({
    connection: 'close',
    ...headers,
    'x-content-type-options': 'nosniff',
    'content-length': Buffer.byteLength(body),
  })
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`)
  // One that never reads would keep its end open for ever.
  const timer = setTimeout(() => socket.destroy(), 5_000).unref()
  socket.once('close', () => clearTimeout(timer))
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n`
  socket.end(head + body, () => socket.destroy())
}

function isClosing(res: ServerResponse, { connection }: Headers): boolean {
  return !res.shouldKeepAlive || /close/i.test(`${connection}`)
}

// The case is the handler's, and the same name must not come twice.
function inLowerCase(headers: Reply['headers']): Reply['headers'] {
  for (const name in headers) {
    if (name !== name.toLowerCase()) return lowered(headers)
  }
  return headers
}

function lowered(headers: Reply['headers']): Reply['headers'] {
  const fields = Object.entries(headers)
  return Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]))
}

// Closing on bytes that were not read is a reset, which may overtake the reply. So what of the body
// is under way is thrown away, for a while.
async function linger(res: ServerResponse, body: Reply['body']): Promise<void> {
  const { req } = res
  res.write(body)
  req.resume()
  await within(LINGER, new Promise((resolve) => req.once('end', resolve).once('close', resolve)))
  res.end()
}
