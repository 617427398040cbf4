// The lanes of tasks, a queue of BullMQ for each: what shares the slots, what needs a thread, and each
// definition that has slots of its own, so that none waits behind another's work.

import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { digestOf } from '../lib/digest.ts'
import type { Kind } from '../lib/kinds.ts'
import type { Run } from '../lib/run.ts'
import { PREFIX } from './bull-keys.ts'

export interface Lane {
  /** 36 characters at most: the end of each of its tasks' ids. */
  readonly name: string
  readonly slots: number
  readonly queue: Queue
}

const SHARED = 'any'
const THREADS = 'threads'
const OPTIONS = {
  prefix: PREFIX,
  skipVersionCheck: true,
  skipWaitingForReady: true, // so that it fails at once
  skipMetasUpdate: true,
}

export class Lanes {
  readonly #connection: Redis
  readonly #onOpen: (lane: Lane) => void
  readonly #byName = new Map<string, Lane>()

  /** `onOpen` is called for each that gets slots; for the two shared ones before this returns. */
  constructor(connection: Redis, slots: number, threads: number, onOpen: (lane: Lane) => void) {
    this.#connection = connection
    this.#onOpen = onOpen
    this.#open(SHARED, slots)
    this.#open(THREADS, threads)
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#byName.values()
  }

  get names(): Iterable<string> {
    return this.#byName.keys()
  }

  ofKind({ definition }: Kind<Run>): Lane {
    const { name = '', concurrency, thread } = definition ?? {}
    if (concurrency !== undefined) return this.#open(ownLane(name), concurrency)
    return this.#byName.get(thread ? THREADS : SHARED)!
  }

  /** That of a task's id. One that nobody here knows has no slots. */
  ofTask(id: string): Lane {
    return this.#open(id.slice(id.indexOf('-') + 1), 0)
  }

  #open(name: string, slots: number): Lane {
    const known = this.#byName.get(name)
    if (known && (known.slots > 0 || slots === 0)) return known
    const lane = { name, slots, queue: known?.queue ?? this.#makeQueue(name) }
    this.#byName.set(name, lane)
    if (slots > 0) this.#onOpen(lane)
    return lane
  }

  #makeQueue(name: string): Queue {
    const queue = new Queue(name, { connection: this.#connection, ...OPTIONS })
    queue.on('error', () => {}) // whoever has asked is told
    return queue
  }
}

function ownLane(name: string): string {
  const short = name.length <= 32 ? name : `${name.slice(0, 20)}.${digestOf(name).slice(0, 11)}`
  return `own.${short}`
}
