// Collects changes and hands them on together: what changes often is told seldom, and the newest
// state of a thing replaces the one that waits.

const MAX_AT_ONCE = 250 // a frame of some 100 KB, far below what a client may have unread
const MAX_WAITING = 10_000

export class Batch<T> {
  readonly #waiting = new Map<string, T>() // oldest first
  readonly #milliseconds: number
  readonly #deliver: (items: T[]) => void
  #timer: NodeJS.Timeout | undefined

  /** Delivers at most once in so many milliseconds, at most 250 items a time. */
  constructor(milliseconds: number, deliver: (items: T[]) => void) {
    this.#milliseconds = milliseconds
    this.#deliver = deliver
  }

  /** Beyond 10,000 that wait, the oldest is dropped. */
  add(key: string, item: T): void {
    this.#waiting.delete(key) // so that it moves to the end
    this.#waiting.set(key, item)
    if (this.#waiting.size > MAX_WAITING) this.#waiting.delete(this.#waiting.keys().next().value!)
    this.#timer ??= setTimeout(() => this.#flush(), this.#milliseconds)
  }

  /** Delivers what waits at once, and forgets it. */
  close(): void {
    clearTimeout(this.#timer)
    while (this.#waiting.size > 0) this.#deliver(this.#take())
  }

  #flush(): void {
    this.#deliver(this.#take())
    const more = this.#waiting.size > 0
    this.#timer = more ? setTimeout(() => this.#flush(), this.#milliseconds) : undefined
  }

  #take(): T[] {
    const taken = [...this.#waiting].slice(0, MAX_AT_ONCE)
    for (const [key] of taken) this.#waiting.delete(key)
    return taken.map(([, item]) => item)
  }
}
