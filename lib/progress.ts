// Progress is made far more often than anybody can look: the newest wins, told 20 times a second.

const EVERY = 50 // milliseconds

/** Calls `tell` at most 20 times a second, the last time included, until it is stopped. */
export class Throttle {
  readonly #tell: () => void
  #told = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(tell: () => void) {
    this.#tell = tell
  }

  hit(): void {
    const wait = EVERY - (performance.now() - this.#told)
    // Also while the timer is set: in a function that blocks, it would never fire.
    if (wait <= 0) this.#fire()
    else this.#timer ??= setTimeout(() => this.#fire(), wait)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #fire(): void {
    this.stop()
    this.#told = performance.now()
    this.#tell()
  }
}
