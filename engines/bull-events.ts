// What happens to tasks, wherever they are done: BullMQ's streams of events say which task it was, and its
// newest state is read for those who watch. An event that comes twice or late is told once, and never as an
// older state.

import { setTimeout as sleep } from 'node:timers/promises'
import { Batcher } from '../lib/batcher.ts'
import { digestOf } from '../lib/digest.ts'
import type { TasksOptions } from '../lib/engines.ts'
import type { Changed } from '../lib/ledger.ts'
import { Recent } from '../lib/recent.ts'
import { jobKey } from './bull-keys.ts'
import type { BullStore } from './bull-store.ts'
import type { WaitingClient } from './redis.ts'

const EVERY = 20 // milliseconds between two reads
const AT_ONCE = 1_000 // events
const WAIT = 1_000 // milliseconds for the next event
const LOOK_EVERY = 50 // milliseconds, whether somebody watches
const BEFORE = 1 // seconds before somebody was seen to watch, which may be a little late
const REMEMBERED = 60_000 // milliseconds for which a state that was told is remembered
const MAX_TOLD = 1_000 // tasks of which it is

export class TaskEvents {
  readonly #client: WaitingClient
  readonly #store: BullStore
  readonly #options: TasksOptions
  readonly #onChange: (changed: Changed) => void
  readonly #changed = new Batcher<string>(EVERY, (ids) => this.#read(ids))
  readonly #told = new Recent<string>(REMEMBERED, MAX_TOLD)
  readonly #streams = new Map<string, string | undefined>() // to where each was read
  #reading: Promise<void> | undefined
  #isClosed = false

  /** `client` is its own, to wait on. */
  constructor(
    client: WaitingClient,
    store: BullStore,
    options: TasksOptions,
    onChange: (changed: Changed) => void,
  ) {
    this.#client = client
    this.#store = store
    this.#options = options
    this.#onChange = onChange
  }

  /** A second call for the same lane does nothing. */
  follow(lane: string): void {
    const key = jobKey(lane, 'events')
    if (!this.#streams.has(key)) this.#streams.set(key, undefined)
    this.#reading ??= this.#readOn()
  }

  /** Its connection may lead nowhere: tries to get another. */
  reconnect(): void {
    this.#client.disconnect(true)
  }

  close(): void {
    this.#isClosed = true
    this.#client.endAll()
  }

  async #readOn(): Promise<void> {
    const { isWatched = () => true } = this.#options
    while (!this.#isClosed) {
      try {
        if (isWatched()) await this.#readNext()
        else await this.#rest()
      } catch {
        await sleep(WAIT) // Redis is away, as `Health` says
      }
    }
  }

  async #rest(): Promise<void> {
    for (const key of this.#streams.keys()) this.#streams.set(key, undefined)
    await sleep(LOOK_EVERY)
  }

  async #readNext(): Promise<void> {
    const [seconds] = await this.#client.time()
    const start = `${(Number(seconds) - BEFORE) * 1_000}-0`
    const ids = [...this.#streams.values()].map((id) => id ?? start)
    const streams = [...this.#streams.keys(), ...ids]
    const asked = ['COUNT', AT_ONCE, 'BLOCK', WAIT, 'STREAMS'] as const
    const found = await this.#client.xread(...asked, ...streams)
    for (const [key, entries] of found ?? []) {
      this.#streams.set(key, entries.at(-1)![0])
      for (const [, fields] of entries) this.#hear(fields)
    }
  }

  #hear(fields: readonly string[]): void {
    const at = fields.indexOf('jobId')
    const id = fields[at + 1]
    if (at !== -1 && id !== undefined) this.#changed.add(id, id)
  }

  async #read(ids: readonly string[]): Promise<void> {
    if (this.#isClosed) return
    try {
      for (const changed of await this.#store.ask(this.#store.changed(ids))) this.#tell(changed)
    } catch (error) {
      this.#options.log.warn('changes of tasks are not told', { count: ids.length, error })
    }
  }

  #tell(changed: Changed): void {
    const state = digestOf(JSON.stringify(changed.snapshot()))
    if (this.#told.find(changed.id)?.value === state) return
    this.#told.set(changed.id, state)
    try {
      this.#onChange(changed)
    } catch (error) {
      this.#options.log.error('a listener failed', { error })
    }
  }
}
