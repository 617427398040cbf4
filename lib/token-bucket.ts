// How often something may happen: so many a second on average, and so many at once.

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
