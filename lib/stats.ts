// The server's figures once a second, for those who follow the topic `stats`.

import { type Delays, LoopDelay } from './loop-delay.ts'
import type { Metrics } from './metrics.ts'
import { readMemory } from './vitals.ts'

export interface Stats {
  /** Open WebSockets. */
  readonly sockets: number
  readonly tasks: { readonly queued: number; readonly running: number }
  /** HTTP requests a second, and frames from clients. */
  readonly requests: number
  readonly messages: number
  /** How late the event loop was. */
  readonly delay: Delays
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heap: number }
}

const INTERVAL = 1_000 // milliseconds

export class StatsFeed {
  readonly #metrics: Metrics
  readonly #loop = new LoopDelay()
  readonly #timer: NodeJS.Timeout
  #before = { requests: 0, messages: 0, at: performance.now() }
  #lately: Pick<Stats, 'requests' | 'messages' | 'delay'>

  /** Begins to count. `tell` is called once a second. */
  constructor(metrics: Metrics, tell: (stats: Stats) => void) {
    this.#metrics = metrics
    this.#lately = this.#measure()
    this.#timer = setInterval(() => {
      this.#lately = this.#measure()
      tell(this.newest)
    }, INTERVAL).unref()
  }

  /** As it is now; what is so much a second, as it was in the last one. */
  get newest(): Stats {
    const { rss, heapUsed } = readMemory()
    return {
      sockets: this.#metrics.total('sockets'),
      tasks: {
        queued: this.#metrics.total('tasks_queued'),
        running: this.#metrics.total('tasks_running'),
      },
      ...this.#lately,
      memory: { rss, heap: heapUsed },
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#loop.stop()
  }

  #measure() {
    const before = this.#before
    const now = {
      requests: this.#metrics.total('http_requests_total'),
      messages: this.#metrics.total('socket_messages_total'),
      at: performance.now(),
    }
    this.#before = now
    const seconds = Math.max(0.001, (now.at - before.at) / 1_000)
    return {
      requests: Math.round((now.requests - before.requests) / seconds),
      messages: Math.round((now.messages - before.messages) / seconds),
      delay: this.#loop.read(),
    }
  }
}
