// Tasks that wait for a reply, or whatever `after` is: they are in Redis, delayed, and go on when it is over.
// Should this process be gone by then, they go on when the delay is.

import type { Queue } from 'bullmq'
import { whenOver } from '../lib/within.ts'

interface Held {
  readonly queue: Queue
  readonly id: string
  /** When it may be done at the earliest. Milliseconds since 1970. */
  readonly due: number
}

export class Holds {
  /** Milliseconds by which a task is delayed that waits. */
  readonly delay: number
  readonly #held = new Map<string, Held>()
  #timer: NodeJS.Timeout | undefined

  constructor(delay: number) {
    this.delay = delay
  }

  /** Puts a task that is delayed in line: when `after` is over, if it waits for that. */
  begin(held: Held, after: Promise<unknown> | undefined): void {
    this.drop(held.id)
    if (!after) return go(held)
    this.#held.set(held.id, held)
    this.#timer ??= setInterval(() => this.#extend(), this.delay / 3).unref()
    whenOver(after, () => {
      if (this.#held.get(held.id) === held) this.#release(held)
    })
  }

  /** It was cancelled, and waits no more. */
  drop(id: string): void {
    this.#held.delete(id)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#held.clear()
  }

  #release(held: Held): void {
    this.drop(held.id)
    go(held)
  }

  #extend(): void {
    for (const { queue, id, due } of this.#held.values()) {
      if (due > Date.now() + this.delay) continue
      const longer = queue.getBackend().changeDelay(id, this.delay)
      longer.catch(() => {}) // it was cancelled, or Redis is away
    }
  }
}

// Now, or when it is due.
function go({ queue, id, due }: Held): void {
  const wait = due - Date.now()
  const backend = queue.getBackend()
  const going = wait > 0 ? backend.changeDelay(id, wait) : backend.promote(id)
  going.catch(() => {}) // it runs, or was cancelled; or Redis is away, and the delay ends by itself
}
