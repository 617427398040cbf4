// How late the event loop is, since it was last asked for.

import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION = 20 // milliseconds: it looks 50 times a second

/** Milliseconds. */
export interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION })

  constructor() {
    this.#histogram.enable()
  }

  /** What was since the last time. */
  read(): Delays {
    const { max } = this.#histogram
    const [p50, p99] = [this.#histogram.percentile(50), this.#histogram.percentile(99)]
    this.#histogram.reset()
    return { p50: late(p50), p99: late(p99), max: late(max) }
  }

  stop(): void {
    this.#histogram.disable()
  }
}

// What it records is the whole interval, of which only what is above it is a delay.
function late(nanoseconds: number): number {
  return Math.max(0, (nanoseconds || 0) / 1e6 - RESOLUTION)
}
