// The server that is fuzzed, as a process of its own: its life, its log and its memory are seen from
// outside.

import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { within } from '../../lib/within.ts'
import { request } from '../exchanges.ts'
import { type Json, type Scope, type ServerProcess, spawnServer, statusOf } from '../helpers.ts'

const PROGRAM = [
  ...['--expose-gc', '--import', 'tsx'],
  ...['--import', './tests/stress/watched.ts', 'server.ts'],
]

// What a warning may be about: that the server is open, that a task threw as it was asked to, and that
// one without a thread took its time.
const EXPECTED = /^(open: |task failed|the event loop was blocked|task blocked the event loop)/

/** Milliseconds: whatever takes longer hangs. */
export const HANG = 5_000

export interface Memory {
  readonly bytes: number
  readonly sockets: number
}

async function healthOf(url: string): Promise<void> {
  assert.equal(await statusOf(url, request('GET /healthz HTTP/1.1')), 200)
}

export class Subject {
  readonly url: string
  readonly port: number
  readonly #server: ServerProcess
  readonly #troubles: string[] = []
  readonly #stopped: Promise<Json>
  #hearMemory: (memory: Memory) => void = () => {}
  #exitCode: number | null | undefined
  #isDying = false

  constructor(server: ServerProcess) {
    this.url = server.url
    this.port = Number(new URL(server.url).port)
    this.#server = server
    createInterface({ input: server.child.stdout! }).on('line', (line) => this.#hear(line))
    this.#stopped = server.line('stopped').catch(() => {})
    server.exited.then((code) => {
      this.#exitCode = code
    })
  }

  static async start(t: Scope, env: NodeJS.ProcessEnv): Promise<Subject> {
    return new Subject(await spawnServer(t, { LOG_LEVEL: 'info', ...env }, PROGRAM))
  }

  /** False once it has ended, is about to, or does not answer. */
  get isUsable(): boolean {
    return this.#exitCode === undefined && !this.#isDying
  }

  /** Throws if it is gone, has logged what it should not, or does not answer any more. */
  async check(): Promise<void> {
    const isWell = await within(HANG, healthOf(this.url)).catch(() => false)
    this.#isDying ||= !isWell
    if (!this.isUsable) this.#server.child.kill('SIGKILL')
    const troubles = this.#troubles.splice(0)
    assert.deepEqual(troubles, [], 'what the server has logged')
    assert.equal(this.#exitCode, undefined, 'the server has ended')
    assert.ok(isWell, 'the server does not answer any more')
  }

  /** What it holds after a garbage collection. */
  async memory(): Promise<Memory> {
    const memory = new Promise<Memory>((resolve) => {
      this.#hearMemory = resolve
    })
    this.#server.child.kill('SIGUSR2')
    assert.ok(await within(HANG, memory), 'the server does not say what it holds')
    return memory
  }

  /** Waits until it holds no more than that, and no socket. Throws what it holds after 10 s. */
  async settle(mostBytes: number): Promise<Memory> {
    for (let i = 0; ; i++) {
      const memory = await this.memory()
      if (memory.bytes <= mostBytes && memory.sockets === 0) return memory
      const text = `${memory.bytes} bytes and ${memory.sockets} sockets are held`
      assert.ok(i < 50, `${text}, expected at most ${Math.round(mostBytes)} bytes and no socket`)
      await delay(200)
    }
  }

  /** Stops it as a supervisor does. */
  async stop(): Promise<void> {
    this.#server.child.kill('SIGTERM')
    assert.ok(await within(HANG, this.#stopped), 'it has nothing to do, and does not stop')
    assert.equal(await this.#server.exited, 0, 'the exit code')
    assert.deepEqual(this.#troubles, [], 'what the server has logged')
  }

  #hear(line: string): void {
    const entry = JSON.parse(line)
    const { level, message } = entry
    if (message === 'memory') this.#hearMemory(entry)
    const isTrouble = level === 'error' || (level === 'warn' && !EXPECTED.test(message))
    if (/^(uncaught exception|unhandled rejection)$/.test(message)) this.#isDying = true
    if (isTrouble && this.#troubles.length < 10) this.#troubles.push(line)
  }
}
