// The server's figures once a second, for those who follow the topic `stats`.

import { type Delays, LoopDelay } from './loop-delay.ts'
import type { Metrics } from './metrics.ts'

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
  #newest: Stats

  /** Begins to count. `tell` is called once a second. */
  constructor(metrics: Metrics, tell: (stats: Stats) => void) {
    this.#metrics = metrics
    this.#newest = this.#read()
    this.#timer = setInterval(() => {
      this.#newest = this.#read()
      tell(this.#newest)
    }, INTERVAL).unref()
  }

  get newest(): Stats {
    return this.#newest
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#loop.stop()
  }

  #read(): Stats {
    const of = (name: string) => this.#metrics.total(name)
    const { rss, heapUsed } = process.memoryUsage()
    const before = this.#before
    const now = {
      requests: of('http_requests_total'),
      messages: of('socket_messages_total'),
      at: performance.now(),
    }
    this.#before = now
    const seconds = Math.max(0.001, (now.at - before.at) / 1_000)
    return {
      sockets: of('sockets'),
      tasks: { queued: of('tasks_queued'), running: of('tasks_running') },
      requests: Math.round((now.requests - before.requests) / seconds),
      messages: Math.round((now.messages - before.messages) / seconds),
      delay: this.#loop.read(),
      memory: { rss, heap: heapUsed },
    }
  }
}
