// A server or a load as a process of its own: asked on its standard input, one line of JSON a question,
// it answers in the same way on its standard output; what it prints first is its first answer. Lines, so
// that a server in Python can do it, too.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const LIMIT = 60_000 // milliseconds for any answer

/** Where a process runs: core 0 is the server's alone, or that and the next are those of two. */
export type Place = keyof typeof CORES | 'any core'

const LAST = availableParallelism() - 1
const CORES = {
  'server core': '0',
  'other cores': `1-${LAST}`,
  'second core': '1',
  'both cores': '0-1',
  'last cores': LAST > 1 ? `2-${LAST}` : '0-1',
}

/** How a file of ours is run on this Node, with the garbage collector at hand. */
export const node = [
  process.execPath,
  '--expose-gc',
  ...(process.features.typescript ? [] : ['--import', 'tsx']),
]

/** False: this system has no `taskset`, so nothing is pinned. */
export const isPinned = canPin()

export interface Cpu {
  /** Milliseconds of CPU until a moment. */
  readonly used: number
  readonly at: number
}

export class Child {
  readonly #name: string
  readonly #process: ChildProcess
  readonly #ended: Promise<never>
  readonly #lines: AsyncIterator<string>

  constructor(place: Place, command: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const [program, ...args] = [...launcher(place), ...command]
    this.#name = command.map((part) => basename(part)).join(' ')
    this.#process = spawn(program!, args, {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#process.stdin!.on('error', () => {}) // it has ended, which is told below
    this.#lines = createInterface(this.#process.stdout!)[Symbol.asyncIterator]()
    this.#ended = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`expected an answer of ${this.#name}, but it ended with ${code}`)
    })
    this.#ended.catch(() => {}) // it is waited for in `answer`
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** What it says next. Rejects if it ends, or takes too long. */
  async answer<T>(): Promise<T> {
    const over = new AbortController()
    const late = sleep(LIMIT, undefined, { signal: over.signal }).then(() => {
      throw new Error(`expected an answer of ${this.#name} within ${LIMIT} ms`)
    })
    late.catch(() => {}) // called off
    const { value } = await Promise.race([this.#lines.next(), this.#ended, late])
    over.abort()
    return value === undefined ? this.#ended : JSON.parse(value)
  }

  async ask<T>(...question: unknown[]): Promise<T> {
    this.#process.stdin!.write(`${JSON.stringify(question)}\n`)
    return this.answer()
  }

  async end(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended.catch(() => {})
  }
}

/** The side of the child: answers until its parent is gone. */
export function answerWith(
  answers: Readonly<Record<string, (...args: never[]) => unknown>>,
  first: unknown = null,
): void {
  const tell = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer ?? null)}\n`)
  const lines = createInterface(process.stdin)
  lines.on('line', async (line) => {
    const [name, ...args] = JSON.parse(line)
    tell(await answers[name]!(...(args as never[])))
  })
  lines.once('close', () => process.exit())
  tell(first)
}

/** An answer to a question that all children know. */
export function cpu(): Cpu {
  const { user, system } = process.cpuUsage()
  return { used: (user + system) / 1_000, at: performance.now() }
}

/** Of a core, in percent, between two looks. */
export function shareOf(before: Cpu, after: Cpu): number {
  return ((after.used - before.used) / (after.at - before.at)) * 100
}

/** What a command begins with, to run there. */
export function launcher(place: Place): string[] {
  return !isPinned || place === 'any core' ? [] : ['taskset', '-c', CORES[place]]
}

function canPin(): boolean {
  if (availableParallelism() < 2) return false
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
