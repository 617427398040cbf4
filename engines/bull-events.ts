// What happens to tasks, wherever they are done: BullMQ's events say which task it was, and its newest
// state is read for those who watch. An event that comes twice, or late, tells nothing twice, nor old.

import { QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import { Batcher } from '../lib/batcher.ts'
import { digestOf } from '../lib/digest.ts'
import type { TasksOptions } from '../lib/engines.ts'
import type { Changed } from '../lib/ledger.ts'
import { Recent } from '../lib/recent.ts'
import { within } from '../lib/within.ts'
import { PREFIX } from './bull-keys.ts'
import type { TaskStore } from './bull-store.ts'

const EVERY = 20 // milliseconds between two reads
const REMEMBERED = 60_000 // milliseconds for what was told, of
const MAX_TOLD = 1_000 // tasks
const CLOSE_TIME = 1_000 // milliseconds

// `cancelling` is ours.
const EVENTS = ['waiting', 'delayed', 'active', 'progress', 'completed', 'failed', 'cancelling']

export class TaskEvents {
  readonly #client: Redis
  readonly #store: TaskStore
  readonly #options: TasksOptions
  readonly #onChange: (changed: Changed) => void
  readonly #changed = new Batcher<string>(EVERY, (ids) => this.#read(ids))
  readonly #told = new Recent<string>(REMEMBERED, MAX_TOLD)
  readonly #lanes = new Map<string, QueueEvents>()
  #isClosed = false

  /** `client`: BullMQ makes a copy of it for each lane, to wait on. */
  constructor(
    client: Redis,
    store: TaskStore,
    options: TasksOptions,
    onChange: (changed: Changed) => void,
  ) {
    this.#client = client
    this.#store = store
    this.#options = options
    this.#onChange = onChange
  }

  /** Twice is once. */
  follow(lane: string): void {
    if (this.#lanes.has(lane)) return
    const { isWatched = () => true } = this.#options
    const events = new QueueEvents(lane, {
      connection: this.#client,
      prefix: PREFIX,
      skipVersionCheck: true,
    })
    events.on('error', () => {}) // `Health` says it; it reads on where it was
    for (const name of EVENTS) {
      events.on(name as 'waiting', ({ jobId }) => {
        if (isWatched()) this.#changed.add(jobId, jobId)
      })
    }
    this.#lanes.set(lane, events)
  }

  async close(): Promise<void> {
    const all = [...this.#lanes.values()]
    await within(CLOSE_TIME, Promise.all(all.map((events) => events.close())))
    this.#isClosed = true
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
