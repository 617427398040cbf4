// Collects what has changed and hands it on together: what changes often is told seldom. Of each thing
// only the newest is kept, so that an old one is never told.

const MAX_AT_ONCE = 500 // of tasks a frame of some 200 KB, well below what a client may have unread
const MAX_WAITING = 20_000

export class Batcher<T> {
  readonly #waiting = new Map<string, T>() // oldest change first
  readonly #milliseconds: number
  readonly #deliver: (newest: T[]) => void
  #timer: NodeJS.Timeout | undefined

  /** Delivers at most once in so many milliseconds, at most 500. `deliver` must not throw. */
  constructor(milliseconds: number, deliver: (newest: T[]) => void) {
    this.#milliseconds = milliseconds
    this.#deliver = deliver
  }

  /** Beyond 20,000 that wait, the one that has waited longest is dropped. */
  add(key: string, newest: T): void {
    this.#waiting.delete(key) // so that it moves to the end
    this.#waiting.set(key, newest)
    if (this.#waiting.size > MAX_WAITING) this.#take(1)
    this.#timer ??= setTimeout(() => this.#tick(), this.#milliseconds)
  }

  /** Delivers all that waits at once. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.size > 0) this.#deliver(this.#take(MAX_AT_ONCE))
  }

  #tick(): void {
    this.#deliver(this.#take(MAX_AT_ONCE))
    const more = this.#waiting.size > 0
    this.#timer = more ? setTimeout(() => this.#tick(), this.#milliseconds) : undefined
  }

  #take(count: number): T[] {
    const taken: T[] = []
    for (const [key, newest] of this.#waiting) {
      this.#waiting.delete(key)
      if (taken.push(newest) === count) break
    }
    return taken
  }
}
