// What the queue has to do: how many tasks and how many bytes of payloads, each with its bound; which
// of them run; and who waits until it is less.

import type { Metrics } from './metrics.ts'
import type { Run } from './run.ts'

/** Thrown when the queue takes no more: full, draining, or its journal closed. Later it may. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

const MAX_PAYLOAD_BYTES = 128 * 1_048_576

export class Backlog {
  readonly running = new Set<Run>()
  readonly #capacity: number
  readonly #waiting = new Set<{ isOver: () => boolean; resolve: () => void }>()
  #size = 0
  #unsafe = 0
  #bytes = 0

  constructor(capacity: number, metrics: Metrics) {
    this.#capacity = capacity
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

  /** Throws a `QueueFullError` if there is no room for one more with so many bytes. */
  check(bytes: number): void {
    if (this.#size >= this.#capacity) {
      throw new QueueFullError(`the task queue is full (${this.#capacity} tasks)`)
    }
    if (this.#bytes + bytes > MAX_PAYLOAD_BYTES) {
      throw new QueueFullError(`the task queue is full (${MAX_PAYLOAD_BYTES} bytes of payloads)`)
    }
  }

  enter(run: Run): void {
    this.#size++
    if (!run.isJournaled) this.#unsafe++
    this.#bytes += run.payloadBytes
  }

  /** To be called while the task still has its payload. */
  leave(run: Run): void {
    this.#size--
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
    for (const waiter of this.#waiting) {
      if (!waiter.isOver()) continue
      this.#waiting.delete(waiter)
      waiter.resolve()
    }
  }
}
