// Collects what has changed and hands it on together: what changes often is told seldom. Only keys
// are kept; whoever takes them looks the newest state up, so that an old one is never told.

const MAX_AT_ONCE = 500 // keys: a frame of some 200 KB, well below what a client may have unread
const MAX_WAITING = 20_000

export class Batcher {
  readonly #waiting = new Set<string>() // oldest change first
  readonly #milliseconds: number
  readonly #deliver: (keys: string[]) => Promise<void>
  #timer: NodeJS.Timeout | undefined

  /** Delivers at most once in so many milliseconds, at most 500 keys. `deliver` must not reject. */
  constructor(milliseconds: number, deliver: (keys: string[]) => Promise<void>) {
    this.#milliseconds = milliseconds
    this.#deliver = deliver
  }

  /** Beyond 20,000 that wait, the one that has waited longest is dropped. */
  add(key: string): void {
    this.#waiting.delete(key) // so that it moves to the end
    this.#waiting.add(key)
    if (this.#waiting.size > MAX_WAITING) this.#take(1)
    this.#timer ??= setTimeout(() => this.#tick(), this.#milliseconds)
  }

  /** Delivers all that waits at once. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.size > 0) await this.#deliver(this.#take(MAX_AT_ONCE))
  }

  async #tick(): Promise<void> {
    await this.#deliver(this.#take(MAX_AT_ONCE))
    const more = this.#waiting.size > 0
    this.#timer = more ? setTimeout(() => this.#tick(), this.#milliseconds) : undefined
  }

  #take(count: number): string[] {
    const taken = []
    for (const key of this.#waiting) {
      if (taken.push(key) === count) break
    }
    for (const key of taken) this.#waiting.delete(key)
    return taken
  }
}
