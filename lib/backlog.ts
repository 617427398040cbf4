// What the queue has to do: how many tasks and how many bytes of payloads, each with its bound; which
// of them run; and who waits until it is less.

import type { Metrics } from './metrics.ts'
import type { Run } from './run.ts'
import { Tally } from './tally.ts'

/** Thrown when the queue takes no more: full, draining, or its journal closed. Later it may. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

/** Thrown when one owner has as many tasks as one may. When some of them have ended, it may. */
export class QuotaExceededError extends Error {
  override readonly name = 'QuotaExceededError'
}

const MAX_PAYLOAD_BYTES = 128 * 1_048_576

export class Backlog {
  readonly running = new Set<Run>()
  readonly #capacity: number
  readonly #capacityPerOwner: number
  readonly #byOwner = new Tally()
  readonly #waiting = new Set<{ isOver: () => boolean; resolve: () => void }>()
  #size = 0
  #unsafe = 0
  #bytes = 0

  constructor(capacity: number, capacityPerOwner: number, metrics: Metrics) {
    this.#capacity = capacity
    this.#capacityPerOwner = capacityPerOwner
    const { running } = this
    metrics.gauge('tasks_running', 'Tasks that run.', () => running.size)
    metrics.gauge('tasks_queued', 'Tasks that wait.', () => this.#size - running.size)
  }

  /** Tasks queued and running. */
  get size(): number {
    return this.#size
  }

  /** Of these, the ones that no journal has. */
  get unsafe(): number {
    return this.#unsafe
  }

  /** Throws a `QuotaExceededError` or a `QueueFullError` if there is no room for this one. */
  check({ owner, payloadBytes }: Run): void {
    if (this.#size >= this.#capacity) {
      throw new QueueFullError(`the task queue is full (${this.#capacity} tasks)`)
    }
    if (this.#bytes + payloadBytes > MAX_PAYLOAD_BYTES) {
      throw new QueueFullError(`the task queue is full (${MAX_PAYLOAD_BYTES} bytes of payloads)`)
    }
    if (owner !== undefined && this.#byOwner.of(owner) >= this.#capacityPerOwner) {
      throw new QuotaExceededError(`expected at most ${this.#capacityPerOwner} tasks of one owner`)
    }
  }

  enter(run: Run): void {
    this.#size++
    if (run.owner !== undefined) this.#byOwner.add(run.owner)
    if (!run.isJournaled) this.#unsafe++
    this.#bytes += run.payloadBytes
  }

  /** To be called while the task still has its payload. */
  leave(run: Run): void {
    this.#size--
    if (run.owner !== undefined) this.#byOwner.remove(run.owner)
    if (!run.isJournaled) this.#unsafe--
    this.#bytes -= run.payloadBytes
    this.#look()
  }

  begin(run: Run): void {
    this.running.add(run)
  }

  stop(run: Run): void {
    this.running.delete(run)
    this.#look()
  }

  /** Resolves when it is so. */
  async when(isOver: () => boolean): Promise<void> {
    if (isOver()) return
    await new Promise<void>((resolve) => this.#waiting.add({ isOver, resolve }))
  }

  #look(): void {
    if (this.#waiting.size === 0) return
    for (const waiter of this.#waiting) {
      if (!waiter.isOver()) continue
      this.#waiting.delete(waiter)
      waiter.resolve()
    }
  }
}
