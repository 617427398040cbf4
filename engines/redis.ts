// Two connections to one Redis: one for commands, one for events, since who has subscribed may ask for
// nothing else. They come back by themselves. What is asked for while they are away fails at once, and
// what is not answered within a second fails, too: whoever asked knows better than a queue what to do. A third
// kind, `waitingClient`, is for who can wait.

import { Redis, type RedisOptions } from 'ioredis'
import { describeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { within } from '../lib/within.ts'
import { Health } from './health.ts'

export const PATIENCE = 1_000 // milliseconds for an answer
const FIRST_WAIT = 5_000 // milliseconds for the first connection
const LONGEST_PAUSE = 2_000 // milliseconds between two attempts to connect
const REFUSAL = /^(OOM|MISCONF|READONLY)/
const FATAL = /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR Client sent AUTH)/

/** Milliseconds before it tries to connect again: longer each time, and never all at once. */
function pauseAfter(attempt: number): number {
  return 50 + Math.random() * Math.min(LONGEST_PAUSE, 50 * 2 ** attempt)
}

const OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResubscribe: false, // whoever subscribes does it, and then looks for what came in between
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: PATIENCE,
  retryStrategy: pauseAfter,
} satisfies RedisOptions

/** Rejects if Redis takes longer, by default than a second. What it was sent stays on its way. */
export async function inTime<T>(answer: Promise<T>, milliseconds = PATIENCE): Promise<T> {
  if (await within(milliseconds, answer)) return answer
  answer.catch(() => {}) // nobody waits for it any more
  throw new Error('Redis does not answer')
}

/** Lua scripts, as they are defined for a connection, and as it then has them. */
export type Scripts = Readonly<Record<string, { numberOfKeys: number; lua: string }>>
export type Asked<S extends Scripts> = Record<keyof S, Ask>
type Ask = (...args: readonly (string | number | Buffer)[]) => Promise<unknown>

export class RedisLink<S extends Scripts> {
  readonly commands: Redis & Asked<S>
  readonly events: Redis
  readonly health: Health
  readonly #log: Log
  #run = ''
  #wasCut = false
  #timer: NodeJS.Timeout | undefined
  #onOpen: (wasCut: boolean) => Promise<void> = async () => {}
  #hasOpened = () => {}

  constructor(url: string, scripts: S, log: Log) {
    this.#log = log
    this.health = new Health('Redis', log)
    this.commands = new Redis(url, { ...OPTIONS, scripts }) as Redis & Asked<S>
    this.events = new Redis(url, OPTIONS)
    for (const client of [this.commands, this.events]) {
      client.on('error', (error) => this.health.failed(error)) // without a listener it would end the process
      client.on('close', () => this.health.failed(new Error('the connection to Redis is closed')))
      client.on('ready', () => void this.#opened())
    }
    this.events.on('close', () => {
      this.#wasCut = true
    })
    this.commands.on('close', () => {
      this.#run = '' // the next one may be another
    })
  }

  /** Tells one life of a Redis from the next. Empty: it is not known yet, nothing may be written. */
  get run(): string {
    return this.#run
  }

  /**
   * `onOpen` is called whenever both connections are there; if it rejects, it is called again. Resolves
   * when it is done, or not yet after five seconds. Rejects if Redis refuses the password.
   */
  async connect(onOpen: (wasCut: boolean) => Promise<void>): Promise<void> {
    this.#onOpen = onOpen
    const opened = new Promise<void>((resolve, reject) => {
      this.#hasOpened = resolve
      this.events.on('error', (error) => FATAL.test(error.message) && reject(error))
    })
    for (const client of [this.commands, this.events]) client.connect().catch(() => {}) // see `error`
    try {
      await within(FIRST_WAIT, opened)
    } catch (error) {
      this.close()
      throw new Error(`Redis refuses the connection: ${describeError(error).message}`)
    }
  }

  /**
   * To be told of whatever Redis has refused, since it may be there and take nothing: then whoever runs it
   * should know.
   */
  refused(error: unknown): void {
    if (REFUSAL.test(describeError(error).message)) this.health.failed(error)
  }

  /** Gives both connections up, and tries to get new ones: these may lead nowhere. */
  reconnect(): void {
    for (const client of [this.commands, this.events]) client.disconnect(true)
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const client of [this.commands, this.events]) {
      client.removeAllListeners('close')
      client.disconnect()
    }
  }

  // A Redis that may throw keys away is a cache. It may also not say: that is no reason to refuse it.
  async #warn(): Promise<void> {
    const memory = await inTime(this.commands.info('memory'))
    if (/^maxmemory:0\r|^maxmemory_policy:noeviction/m.test(memory)) return
    this.#log.warn('Redis may throw away what it was given: set its maxmemory-policy to noeviction')
  }

  async #opened(): Promise<void> {
    clearTimeout(this.#timer)
    const clients = [this.commands, this.events]
    if (clients.some(({ status }) => status !== 'ready')) return
    const wasCut = this.#wasCut
    this.#wasCut = false // it may be cut again meanwhile
    try {
      const info = await inTime(this.commands.info('server'))
      this.#run = /run_id:(\w+)/.exec(info)?.[1] ?? ''
      await this.#warn()
      await this.#onOpen(wasCut)
      this.#hasOpened()
      this.health.answered()
    } catch (error) {
      this.#wasCut ||= wasCut
      this.health.failed(error)
      this.#timer = setTimeout(() => this.#opened(), PATIENCE) // it may be a replica, or still load
    }
  }
}

/** Connects, and goes on trying: what it is asked waits until Redis is there, and may block. */
export function waitingClient<S extends Scripts>(url: string, scripts: S) {
  return new WaitingClient(url, scripts) as WaitingClient & Asked<S>
}

/** Knows the copies that BullMQ makes of it, and which may outlive what they were made for. */
export class WaitingClient extends Redis {
  readonly copies: Redis[] = []

  constructor(url: string, scripts: Scripts) {
    super(url, { maxRetriesPerRequest: null, retryStrategy: pauseAfter, scripts })
    this.on('error', () => {}) // `Health` says it; without a listener it would end the process
  }

  override duplicate(options?: RedisOptions): Redis {
    const copy = super.duplicate(options)
    copy.on('error', () => {})
    this.copies.push(copy)
    return copy
  }

  /** Ends all of them, for good. */
  endAll(): void {
    for (const client of [this, ...this.copies]) {
      client.options.retryStrategy = () => null
      client.disconnect()
    }
  }
}
