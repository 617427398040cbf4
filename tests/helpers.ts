// What the tests share: a real server on a free port, a WebSocket client that remembers what came, a
// raw socket for bytes that no client would send, and the server as a process of its own.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { readSettings } from '../lib/config.ts'
import { createLog, type Log } from '../lib/log.ts'
import { SUBPROTOCOL } from '../lib/protocol.ts'
import { type Additions, type App, createApp } from '../server.ts'

/** What is done at the end: of a test, for instance. */
export interface Scope {
  after(undo: () => unknown): void
}

/** Runs it with a scope, and undoes in the end what it has done, in order, as `node:test` does. */
export async function scoped(body: (scope: Scope) => Promise<unknown>): Promise<void> {
  const undone: (() => unknown)[] = []
  try {
    await body({ after: (undo) => undone.push(undo) })
  } finally {
    for (const undo of undone) await undo()
  }
}

export const silent: Log = createLog('silent')

/** A folder of its own for the test, gone with it. */
export async function temporaryFolder(t: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'meanwhile-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

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

async function quickEnv(t: Scope, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder(t)
  const quick = { PORT: '0', LOG_LEVEL: 'silent', WORK_SECONDS: '0', NOTIFY_SECONDS: '0' }
  const files = { WORK_FILE: join(folder, 'log.txt'), JOURNAL: join(folder, 'tasks.journal') }
  return { ...quick, ...files, ...env }
}

/** A promise, and what opens it. */
export function latch(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Waits, turn by turn of the event loop, until it is so. */
export async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await delay(1)
}

/** What no property of can be looked at: even `instanceof` throws. */
export function revokedProxy(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

export function fail(error: unknown): never {
  throw error
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

// biome-ignore lint/suspicious/noExplicitAny: tests read what a server sent, and say so by reading it
export type Json = any

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

/** Sends bytes as they are and returns all that comes back until the server closes. */
export async function exchange(url: string, bytes: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text) => {
    answer += text
  })
  socket.on('error', () => {}) // a reset after the answer is an end, too
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return answer
}

/** The status of the first answer to raw bytes. 0: closed without one. */
export async function statusOf(url: string, bytes: string | Buffer): Promise<number> {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await exchange(url, bytes))?.[1] ?? 0)
}

export interface ServerProcess {
  readonly child: ChildProcess
  readonly url: string
  /** Waits for the next log line with this message. */
  line(message: string): Promise<Json>
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>
}

/** The server as a user starts it. Its log lines can be waited for. */
export async function spawnServer(
  t: Scope,
  env: NodeJS.ProcessEnv = {},
  program: readonly string[] = ['--import', 'tsx', 'server.ts'],
): Promise<ServerProcess> {
  const { line, child, exited } = spawnProgram(
    t,
    await quickEnv(t, { LOG_LEVEL: 'debug', ...env }),
    program,
  )
  const { url } = await line('listening')
  return { child, url, line, exited }
}

/** Any program of this project that logs to stdout. Killed when the test ends. */
export function spawnProgram(
  t: Scope,
  env: NodeJS.ProcessEnv,
  program: readonly string[],
  command: string = process.execPath,
) {
  const child = spawn(command, program, {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, JOURNAL: 'off', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const line = async (message: string): Promise<Json> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error(`the program ended before it logged "${message}"`)
      const entry = JSON.parse(value)
      if (entry.message === message) return entry
    }
  }
  return { child, exited, line }
}
