// What happens to tasks, wherever they are done: BullMQ's events say which task it was, and its newest
// state is read for those who watch. An event that comes twice, or late, tells nothing old.

import { QueueEvents } from 'bullmq'
import type { Redis } from 'ioredis'
import { Batcher } from '../lib/batcher.ts'
import { within } from '../lib/within.ts'
import { PREFIX } from './bull-keys.ts'

const EVERY = 20 // milliseconds between two reads
const CLOSE_TIME = 1_000 // milliseconds

// `cancelling` is ours.
const EVENTS = ['waiting', 'delayed', 'active', 'progress', 'completed', 'failed', 'cancelling']

export class TaskEvents {
  readonly #client: Redis
  readonly #isWatched: () => boolean
  readonly #changed: Batcher<string>
  readonly #lanes = new Map<string, QueueEvents>()

  /** `read` is given the ids of tasks that have changed. Must not throw. */
  constructor(client: Redis, isWatched: () => boolean, read: (ids: string[]) => void) {
    this.#client = client
    this.#isWatched = isWatched
    this.#changed = new Batcher(EVERY, read)
  }

  /** Twice is once. */
  follow(lane: string): void {
    if (this.#lanes.has(lane)) return
    const events = new QueueEvents(lane, {
      connection: this.#client,
      prefix: PREFIX,
      skipVersionCheck: true,
    })
    events.on('error', () => {}) // `Health` says it; it reads on where it was
    for (const name of EVENTS) {
      events.on(name as 'waiting', ({ jobId }) => {
        if (this.#isWatched()) this.#changed.add(jobId, jobId)
      })
    }
    this.#lanes.set(lane, events)
  }

  async close(): Promise<void> {
    this.#changed.flush()
    const all = [...this.#lanes.values()]
    await within(CLOSE_TIME, Promise.all(all.map((events) => events.close())))
  }
}
