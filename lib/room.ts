// How much is in the queue: tasks and bytes of payloads, each with its bound, and who waits until it
// is less.

import type { Run } from './run.ts'

/** Thrown when the queue takes no more: full, draining, or its journal closed. Later it may. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

const MAX_PAYLOAD_BYTES = 128 * 1_048_576

export class Room {
  readonly #capacity: number
  #size = 0
  #unsafe = 0
  #bytes = 0
  readonly #waiting = new Set<{ isOver: () => boolean; resolve: () => void }>()

  constructor(capacity: number) {
    this.#capacity = capacity
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

  leave(run: Run): void {
    this.#size--
    if (!run.isJournaled) this.#unsafe--
    this.#bytes -= run.payloadBytes
  }

  /** Resolves when it is so. */
  async when(isOver: () => boolean): Promise<void> {
    if (isOver()) return
    await new Promise<void>((resolve) => this.#waiting.add({ isOver, resolve }))
  }

  /** To be called when something has changed that is waited for. */
  look(): void {
    for (const waiter of this.#waiting) {
      if (!waiter.isOver()) continue
      this.#waiting.delete(waiter)
      waiter.resolve()
    }
  }
}
