// A server whose disk fails: the n-th call of one kind on its journal's files returns an error, or is
// the end of the process. The kernel is told to (by strace, where there is one that may trace); where
// not, or with FAULTY_DISK=wrapped, `faulty-fs.ts` wraps `node:fs/promises` in the server's process.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Json, Scope } from '../helpers.ts'

/** Each with the system calls that it may be, on whatever machine. */
const CALLS = {
  write: '/^p?write',
  fdatasync: 'fdatasync',
  fsync: 'fsync',
  rename: '/^rename',
  truncate: 'ftruncate',
  open: 'openat',
  stat: '/^(statx|newfstatat)$',
  unlink: '/^unlink',
} as const

export type Call = keyof typeof CALLS

export interface DiskFault {
  readonly call: Call
  readonly what: 'EIO' | 'ENOSPC' | 'SIGKILL'
  /** From 1. */
  readonly nth: number
  /** Not once, but from then on. */
  readonly isLasting?: boolean
}

export interface FaultyServer {
  /** Undefined if it ended before it listened. */
  readonly url: string | undefined
  /** Aborts when it has ended. */
  readonly gone: AbortSignal
  /** Asks it to stop, waits for its end, and looks back. */
  end(): Promise<Looked>
}

export interface Looked {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** All that it logged. */
  readonly entries: readonly Json[]
  /** How often the fault was met. */
  readonly strikes: number
}

const HANG = 30_000 // milliseconds

export const mayTrace =
  process.env.FAULTY_DISK !== 'wrapped' &&
  spawnSync('strace', ['-D', '-f', '-e', 'trace=none', 'true']).status === 0

/** Starts it, and waits until it listens or has ended. The journal has a folder of its own. */
export async function spawnFaulty(
  t: Scope,
  folder: string,
  env: NodeJS.ProcessEnv & { JOURNAL: string },
  fault: DiskFault,
  isTraced: boolean = mayTrace,
): Promise<FaultyServer> {
  const { JOURNAL: journal } = env
  const report = join(dirname(dirname(journal)), 'faults')
  const [command, args] = isTraced
    ? ['strace', [...tracing(journal, report, fault), process.execPath]]
    : [process.execPath, ['--import', './tests/stress/faulty-fs.js']]
  const child = spawn(command, [...args, 'server.js'], {
    cwd: folder,
    env: {
      ...process.env,
      ...env,
      PORT: '0',
      UV_THREADPOOL_SIZE: '1', // strace counts the calls of each thread
      FAULT: JSON.stringify({ ...fault, journal, report }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const gone = new AbortController()
  ended.then(() => gone.abort())

  const entries: Json[] = []
  const url = await new Promise<string | undefined>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const entry = JSON.parse(line)
      entries.push(entry)
      if (entry.message === 'listening') resolve(entry.url)
    })
    ended.then(() => resolve(undefined))
  })
  const end = async (): Promise<Looked> => {
    child.kill('SIGTERM')
    const hang = setTimeout(() => child.kill('SIGABRT'), HANG)
    const [code, signal] = await ended
    clearTimeout(hang)
    const reported = existsSync(report) ? readFileSync(report, 'utf8') : ''
    const strikes = signal === 'SIGKILL' ? 1 : reported.split('(INJECTED)').length - 1
    return { code, signal, entries, strikes }
  }
  return { url, gone: gone.signal, end }
}

// A path stands for what is open there, too.
function tracing(journal: string, report: string, fault: DiskFault): string[] {
  const { call, what, nth, isLasting = false } = fault
  const isKill = what === 'SIGKILL'
  const effect = isKill ? `signal=${what}` : `error=${what}`
  const paths = [journal, `${journal}.new`, dirname(journal)]
  return [
    '-D', // the server is our child, and its tracer goes with it
    '-f',
    ...(isKill ? [] : ['--seccomp-bpf']), // quicker, but it sends no signals
    ...['-o', report],
    ...['-e', `trace=${CALLS[call]}`],
    ...['-e', `inject=${CALLS[call]}:${effect}:when=${nth}${isLasting ? '+' : ''}`],
    ...paths.flatMap((path) => ['-P', path]),
  ]
}
