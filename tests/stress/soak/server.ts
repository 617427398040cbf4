// The server under the soak: a process of its own, looked at from outside.

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Json } from '../../helpers.ts'

const ROOT = join(import.meta.dirname, '../../..')
const WATCHED = ['--import', './tests/stress/watched.ts']
const PROGRAM = ['--expose-gc', '--import', 'tsx', ...WATCHED, 'server.ts']

/** What it holds at one moment. */
export interface Sample {
  readonly used: number // bytes of memory after a collection, in the heap and outside
  readonly rss: number // bytes
  readonly descriptors: number | undefined // where the system tells
}

export class Server {
  readonly url: Promise<string>
  /** Resolves to the exit code. */
  readonly exited: Promise<number | null>
  /** Log lines at the level `error`. */
  readonly errors: Json[] = []
  /** Others, by their text. */
  readonly lines = new Map<string, number>()
  readonly #child: ChildProcess
  readonly #said = new EventEmitter()
  readonly #gone = new AbortController()

  constructor(env: NodeJS.ProcessEnv) {
    const child = spawn(process.execPath, PROGRAM, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    this.exited = once(child, 'exit').then(([code]) => code)
    this.exited.then(() => this.#gone.abort())
    this.url = new Promise((resolve) => {
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const entry = JSON.parse(line)
        this.#note(entry)
        if (entry.message === 'listening') resolve(entry.url)
      })
    })
  }

  /** Rejects when it has ended. */
  async sample(): Promise<Sample> {
    const answer = once(this.#said, 'memory', { signal: this.#gone.signal })
    this.#child.kill('SIGUSR2')
    const [{ bytes, rss }] = await answer
    return { used: bytes, rss, descriptors: this.#descriptors }
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #note(entry: Json): void {
    if (entry.message === 'memory') this.#said.emit('memory', entry)
    else if (entry.level === 'error') this.errors.push(entry)
    else this.lines.set(entry.message, (this.lines.get(entry.message) ?? 0) + 1)
  }

  get #descriptors(): number | undefined {
    const folder = `/proc/${this.#child.pid}/fd`
    return existsSync(folder) ? readdirSync(folder).length : undefined
  }
}
