// What one client may take: a token bucket for messages, a tally for connections of one address.

export class TokenBucket {
  readonly #rate: number
  readonly #burst: number
  #tokens: number
  #filled = performance.now() // monotonic: a clock that is set back takes nothing away

  /** `rate` a second on average, `burst` at once. */
  constructor(rate: number, burst: number) {
    this.#rate = rate
    this.#burst = burst
    this.#tokens = burst
  }

  /** Takes one token. False if there is none. */
  take(now = performance.now()): boolean {
    const gained = ((now - this.#filled) / 1_000) * this.#rate
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filled = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** Counts by key, and forgets a key whose count is back at zero. */
export class Tally {
  readonly #counts = new Map<string, number>()

  /** Keys whose count is not zero. */
  get size(): number {
    return this.#counts.size
  }

  keys(): Iterable<string> {
    return this.#counts.keys()
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1)
  }

  remove(key: string): void {
    if (this.of(key) > 1) this.#counts.set(key, this.of(key) - 1)
    else this.#counts.delete(key)
  }
}
