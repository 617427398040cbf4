// A watch on the event loop: a function that blocks it holds up every request and every socket, and
// nobody can tell which one it was. The stretch of a task up to its first `await` is timed exactly by
// whoever calls it; what blocks later is seen here, when a timer comes late, and may be any task that
// was running.

import { type Log, withFields } from './log.ts'
import type { Counter, Metrics } from './metrics.ts'

export interface WatchOptions {
  /** Milliseconds. A longer stretch is a block. */
  readonly blockedMs: number
  readonly log: Log
  readonly metrics: Metrics
}

interface Suspect {
  readonly id: string
  readonly name: string
  readonly state: string
}

const MAX_SUSPECTS = 20 // in one log line

export class LoopWatch {
  readonly #options: WatchOptions
  readonly #interval: number
  readonly #byTask: Blocks
  readonly #byLoop: Blocks
  #suspects: Suspect[] = [] // all that have run since the last look
  #timer: NodeJS.Timeout | undefined
  #due = 0
  #cpu = process.cpuUsage()
  #explained = 0 // milliseconds since the last look for which a task was named

  constructor(options: WatchOptions) {
    this.#options = options
    this.#interval = Math.max(1, options.blockedMs / 5)
    const counts = options.metrics.counter('blocks_total', 'Times the event loop was blocked.')
    const seconds = options.metrics.counter('blocked_seconds_total', 'How long it was.')
    const blocks = (by: string): Blocks => ({
      count: counts.of({ by }),
      seconds: seconds.of({ by }),
    })
    this.#byTask = blocks('task')
    this.#byLoop = blocks('loop')
  }

  /** What a task took up to its first `await`, in milliseconds. Its fields are in the log's scope. */
  check(stretch: number): void {
    if (stretch <= this.#options.blockedMs) return
    this.#explained += stretch
    this.#byTask.count.add()
    this.#byTask.seconds.add(stretch / 1_000)
    const ms = Math.round(stretch)
    this.#options.log.warn('task blocked the event loop, it belongs in a thread', { ms })
  }

  /** Looks on for as long as one of those runs that were given to it. */
  follow(task: Suspect): void {
    this.#suspects.push(task)
    if (this.#timer) return
    this.#explained = 0
    this.#wait()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#suspects = []
  }

  #wait(): void {
    this.#due = performance.now() + this.#interval
    this.#cpu = process.cpuUsage()
    this.#timer = setTimeout(() => this.#look(), this.#interval).unref()
  }

  #look(): void {
    this.#timer = undefined
    const late = performance.now() - this.#due - this.#explained
    if (late > this.#options.blockedMs) this.#report(late)
    this.#explained = 0
    this.#suspects = this.#suspects.filter(({ state }) => state === 'running')
    if (this.#suspects.length > 0) this.#wait()
  }

  #report(late: number): void {
    this.#byLoop.count.add()
    this.#byLoop.seconds.add(late / 1_000)
    const named = this.#suspects.slice(0, MAX_SUSPECTS)
    const suspects = named.map(({ id, name }) => ({ task: id, name }))
    // Far below `ms`: it waited for something synchronous, or the machine was busy with others.
    const { user, system } = process.cpuUsage(this.#cpu)
    const cpu = Math.round((user + system) / 1_000)
    const fields = { ms: Math.round(late), cpu, suspects }
    // The timer is of some task, whose fields are not what this is about.
    withFields({}, () => this.#options.log.warn('the event loop was blocked', fields))
  }
}

interface Blocks {
  readonly count: Counter
  readonly seconds: Counter
}
