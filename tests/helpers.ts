// What the tests of a whole server share: one on a free port, a WebSocket client that remembers what
// came, a raw socket for bytes that no client would send, and all of basics.ts.

import { connect, type Socket } from 'node:net'
import { WebSocket } from 'ws'
import { readSettings } from '../lib/config.ts'
import { SUBPROTOCOL } from '../lib/protocol.ts'
import { type Additions, type App, createApp } from '../server.ts'
import { type Json, quickEnv, type Scope } from './basics.ts'

export * from './basics.ts'

/** A whole server whose jobs take no time, unless told otherwise. Closed when the test ends. */
export async function startApp(
  t: Scope,
  env: NodeJS.ProcessEnv = {},
  additions: Additions = {},
): Promise<App> {
  let app: App | undefined
  t.after(() => app?.close(1_000)) // before its folder goes
  app = await createApp(readSettings(await quickEnv(t, env)), additions)
  return app
}

export function post(
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal: AbortSignal | null = null,
) {
  if (body === undefined) return fetch(url, { method: 'POST', headers, signal })
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', ...headers }
  return fetch(url, { method: 'POST', headers: all, body: text, signal })
}

export const jsonOf = async (reply: Response | Promise<Response>): Promise<Json> =>
  (await reply).json()

/** A client that keeps what comes until it is asked for. */
export class TestSocket {
  readonly socket: WebSocket
  /** The close code. */
  readonly closed: Promise<number>
  readonly #inbox: string[] = []
  #readers: ((text: string) => void)[] = []

  constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('message', (data) => {
      const reader = this.#readers.shift()
      if (reader) reader(String(data))
      else this.#inbox.push(String(data))
    })
    socket.on('error', () => {})
  }

  /** The oldest frame that was not read yet, or the next one to come. */
  async text(): Promise<string> {
    const text = this.#inbox.shift()
    return text ?? new Promise((resolve) => this.#readers.push(resolve))
  }

  async next(): Promise<Json> {
    return JSON.parse(await this.text())
  }

  /** Reads until a frame of one of these types. */
  async nextOf(...types: string[]): Promise<Json> {
    for (;;) {
      const message = await this.next()
      if (types.includes(message.type)) return message
    }
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Sends a request and returns the answer to it, whatever else comes before. */
  async ask(request: Record<string, unknown>): Promise<Json> {
    this.send({ id: 1, ...request })
    return this.nextOf('ok', 'error')
  }
}

export interface ConnectOptions {
  user?: string
  /** In place of `user=…`. */
  query?: string
  /** `null` for none: the echo. */
  protocol?: string | readonly string[] | null
  headers?: Record<string, string>
}

/** An open WebSocket, cut when the test ends. Rejects with the status of a refused handshake. */
export async function connectSocket(
  t: Scope,
  url: string,
  {
    user,
    query = user && `user=${user}`,
    protocol = SUBPROTOCOL,
    headers = {},
  }: ConnectOptions = {},
): Promise<TestSocket> {
  const target = `${url.replace('http', 'ws')}/ws${query ? `?${query}` : ''}`
  const socket = new WebSocket(target, [protocol ?? []].flat(), { headers })
  t.after(() => socket.terminate())
  const client = new TestSocket(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
    socket.once('unexpected-response', (request, response) => {
      request.destroy()
      reject(response.statusCode)
    })
  })
  return client
}

/** A raw connection. What becomes of it is told by `close`, a reset too. */
export function connectTcp(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname).on('error', () => {})
}

/** A raw connection that begins with these bytes, and all that came on it, once it is closed. */
export function dial(t: Scope, url: string, bytes: string | Buffer = '') {
  const socket = connectTcp(url)
  t.after(() => socket.destroy())
  const closed = answerOn(socket)
  if (bytes.length > 0) socket.write(bytes)
  return { socket, closed }
}

/** Sends bytes as they are and returns all that comes back until the server closes. */
export function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const socket = connectTcp(url)
  socket.write(bytes)
  return answerOn(socket)
}

// One character a byte.
function answerOn(socket: Socket): Promise<string> {
  let answer = ''
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text
  })
  return new Promise((resolve) => socket.once('close', () => resolve(answer)))
}

/** The status of the first answer to raw bytes. 0: closed without one. */
export async function statusOf(url: string, bytes: string | Buffer): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await exchange(url, bytes))?.[1] ?? 0)
}
