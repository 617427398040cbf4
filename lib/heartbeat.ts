// One timer for all sockets, however many: it ticks ten times in a heartbeat (and once a second at
// least), and each tick asks every one of them whether it is due.

import { setImmediate as turn } from 'node:timers/promises'
import { inTurns } from './turns.ts'

const AT_ONCE = 250

export class Heartbeat {
  readonly #members: Iterable<{ beat(now: number): void }>
  readonly #milliseconds: number
  #timer: NodeJS.Timeout | undefined
  #isWalking = false

  constructor(members: Iterable<{ beat(now: number): void }>, seconds: number) {
    this.#members = members
    this.#milliseconds = Math.min(1_000, seconds * 100)
  }

  /** To be called when somebody is there. */
  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), this.#milliseconds).unref()
  }

  /** To be called when nobody is. */
  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  // Never rejects: `beat` does not throw.
  async #tick(): Promise<void> {
    if (this.#isWalking) return
    this.#isWalking = true
    // After a look at the sockets: what came while the event loop was blocked, or the process was
    // stopped, counts as a sign of life. And as of before it: what blocks behind it is not theirs.
    const now = performance.now()
    await turn()
    await inTurns(this.#members, AT_ONCE, (member) => member.beat(now))
    this.#isWalking = false
  }
}
