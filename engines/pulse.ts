// Asks a broker again and again whether it is there: a connection that leads nowhere says nothing by itself.

import type { Health } from './health.ts'

export interface PulseOptions {
  /** Milliseconds between two beats. */
  readonly every: number
  /** Rejects if there was no answer. */
  readonly beat: () => Promise<void>
  readonly health: Health
  /** Called when three in a row were not answered, and so on. */
  readonly reconnect: () => void
}

const MOST_MISSED = 3 // in a row, and it reconnects

export class Pulse {
  readonly #options: PulseOptions
  #missed = 0
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(options: PulseOptions) {
    this.#options = options
  }

  start(): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#beat(), this.#options.every)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  async #beat(): Promise<void> {
    const { beat, health, reconnect } = this.#options
    try {
      await beat()
      this.#missed = 0
      health.answered()
    } catch (error) {
      health.failed(error)
      if (++this.#missed % MOST_MISSED === 0) reconnect()
    }
    this.start()
  }
}
