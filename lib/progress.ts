// Progress is made far more often than anybody can look: the newest wins, told 20 times a second.

const EVERY = 50 // milliseconds

/** Calls `tell` at most 20 times a second, the last time included, until it is stopped. */
export class Throttle<T> {
  readonly #tell: (newest: T) => void
  #newest!: T
  #told = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (newest: T) => void) {
    this.#tell = tell
  }

  hit(newest: T): void {
    this.#newest = newest
    const wait = EVERY - (performance.now() - this.#told)
    // Also while the timer is set: in a function that blocks, it would never fire.
    if (wait <= 0) this.#fire()
    else this.#timer ??= setTimeout(() => this.#fire(), wait)
  }

  /** Tells at once what still waits. */
  flush(): void {
    if (this.#timer) this.#fire()
  }

  #fire(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#told = performance.now()
    this.#tell(this.#newest)
  }
}
