// The server as a process: signals, exit codes, and what happens when something is thrown that
// nobody caught. Supervisors read the exit code; people read one clear line.

import { existsSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { describeError } from './errors.ts'
import { createLog, type Log, withFields } from './log.ts'

export interface Stoppable {
  readonly log: Log
  /** Resolves to whether nothing was lost. `isCrash`: what was running may be to blame. */
  close(milliseconds?: number, isCrash?: boolean): Promise<boolean>
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const // of a second one: 128 + its number
const CRASH_DRAIN = 2_000 // milliseconds
const CRASH_END = 3_000 // milliseconds
const NPM_ECHO = 100 // milliseconds

/** Whether the module is the program that was started. */
export function isMain(moduleUrl: string): boolean {
  const program = process.argv[1]
  if (program === undefined || !existsSync(program)) return false
  return moduleUrl === pathToFileURL(realpathSync(program)).href
}

/** Whether the option was given. Throws for any other, since a typing error should not start a server. */
export function isAsked(option: string): boolean {
  const given = process.argv.slice(2)
  if (given.every((text) => text === option)) return given.length > 0
  throw new Error(`expected nothing or ${option}, got ${given.join(' ')}`)
}

/**
 * Starts an app, and sees to it that a signal or a crash stops it in order. Resolves to the app once
 * it has started. A start that fails is one line in the log and exit code 1.
 */
export async function run<App extends Stoppable>(start: () => Promise<App>): Promise<App> {
  if (!isMainThread) {
    throw new Error('expected the main thread: what runs in a thread needs a module of its own')
  }
  process.stdout.on('error', () => {}) // whoever read the log has gone; the server goes on
  const starting = Promise.resolve().then(start) // which may throw at once, at a bad setting
  // From here on, since a supervisor may change its mind while the server starts.
  stopOnSignals(starting)
  stopOnCrash(starting)
  try {
    return await starting
  } catch (error) {
    createLog('error').error(describeError(error).message)
    process.exit(1)
  }
}

function stopOnSignals(starting: Promise<Stoppable>): void {
  let since: number | undefined
  const stop = async (signal: keyof typeof EXIT_CODES) => {
    if (since !== undefined && isNpmEcho(performance.now() - since)) return
    if (since !== undefined) process.exit(EXIT_CODES[signal])
    since = performance.now()
    const app = await starting
    app.log.info('stopping', { signal })
    if (!(await app.close())) process.exitCode = 1
    process.exit() // with 1 also after a crash meanwhile
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

// At Ctrl-C npm passes on the signal that the terminal has sent to the whole group already.
function isNpmEcho(milliseconds: number): boolean {
  return process.env.npm_lifecycle_event === 'start' && milliseconds < NPM_ECHO
}

// After a throw that nobody caught no state can be trusted: save what can be, then start afresh.
function stopOnCrash(starting: Promise<Stoppable>): void {
  let isCrashing = false
  let log = createLog('error') // until the app has one
  const ready = (app: Stoppable) => {
    log = app.log
  }
  starting.then(ready, () => {})
  process.on('uncaughtException', (error, origin) => {
    process.exitCode = 1 // also if a signal, or nothing more to do, ends the process meanwhile
    if (!isCrashing) withFields({}, () => stopCrashed(starting)) // no longer about what threw
    isCrashing = true
    const message = origin === 'unhandledRejection' ? 'unhandled rejection' : 'uncaught exception'
    log.error(message, { error })
  })
}

// Ends in time, though the start or the stop should hang. A start that fails rejects this, too, but
// `run` ends the process before anybody can notice.
async function stopCrashed(starting: Promise<Stoppable>): Promise<void> {
  setTimeout(() => process.exit(1), CRASH_END)
  const app = await starting
  try {
    await app.close(CRASH_DRAIN, true)
  } catch (error) {
    app.log.error('could not stop', { error })
  }
  process.exit(1)
}
