// What the tests share that needs no server in their own process: waiting, a folder, the server or
// another program as a process of its own. A test of one part imports this: with helpers.ts it would
// load the whole server, which takes longer than most of them.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog, type Log } from '../lib/log.ts'

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

/** Settings with which jobs take no time, and files are in a folder of their own. */
export async function quickEnv(t: Scope, env: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder(t)
  const quick = { PORT: '0', LOG_LEVEL: 'silent', WORK_SECONDS: '0', NOTIFY_SECONDS: '0' }
  const files = { WORK_FILE: join(folder, 'log.txt'), JOURNAL: join(folder, 'tasks.journal') }
  return { ...quick, ...files, ...brokerEnv(), ...env }
}

/** Over what a file of tests is run again (see `engines/`): the scheme of `TEST_BUS_URL`. */
export function broker(): string | undefined {
  return process.env.TEST_BUS_URL?.split(':')[0]
}

/** The same for tasks: a part of Redis that nobody has used, if `TEST_TASKS_URL` is set. */
export function tasksUrl(): string | undefined {
  const { TEST_TASKS_URL: url } = process.env
  return url && `${url}/${databases++}`
}

let databases = 0 // that were used: no server finds what the one before has left

function brokerEnv(): NodeJS.ProcessEnv {
  const { TEST_BUS_URL: url } = process.env
  const bus = url && (broker() === 'redis' ? `${url}/${databases++}` : url)
  const tasks = tasksUrl()
  return { ...(bus && { BUS_URL: bus }), ...(tasks && { TASKS_URL: tasks }) }
}

/** A promise, and what opens it. */
export function latch(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** Waits until it is so: looks every millisecond, then less and less often, so that it costs little. */
export async function until(condition: () => unknown): Promise<void> {
  for (let pause = 1; !(await condition()); pause = Math.min(1.1 * pause, 20)) await delay(pause)
}

/** Lets nothing else run for so many milliseconds. */
export function block(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

/**
 * Free a moment ago, and none of those that who listens on port 0 is given: nobody else gets one while
 * what listens on it is dead for a while.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(10_000, 32_768) // below the range of Linux and macOS
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}

/** The two ends of one connection, gone with the test. */
export async function socketPair(t: Scope): Promise<[near: Socket, far: Socket]> {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => near.destroy())
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])
  t.after(() => far.destroy())
  return [near, far]
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

// biome-ignore lint/suspicious/noExplicitAny: tests read what a server sent, and say so by reading it
export type Json = any

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
