// Who starts when: one of each lane in turn, so that none waits behind another's work, and in slices,
// so that sockets and timers have their turn in between.

import type { Lane } from './lane.ts'
import type { Run } from './run.ts'

const SLICE = 5 // milliseconds of starting tasks

export class Scheduler {
  readonly #lanes: readonly Lane<Run>[]
  readonly #start: (run: Run, now: number) => void
  readonly #turn = () => this.#beginSlice()
  #at = 0 // the lane whose turn it was
  #isAwake = false
  #until = 0 // the end of the slice. `performance.now()`

  constructor(lanes: readonly Lane<Run>[], start: (run: Run, now: number) => void) {
    this.#lanes = lanes
    this.#start = start
  }

  enter(run: Run, priority: number): void {
    run.readyAt = performance.now()
    run.kind.lane.enter(run, priority)
    this.#wake()
  }

  quit(run: Run): void {
    run.kind.lane.quit(run)
  }

  /** Gives back the slot of one that was started. */
  leave(run: Run, now: number): void {
    run.kind.lane.leave()
    if (this.#isAwake) return
    // While the slice lasts, its successor need not wait for the next turn.
    if (now < this.#until) this.#startNext(now)
    else this.#wake()
  }

  // In a later turn of the event loop, so that what is under way there, a reply for one, goes first.
  #wake(): void {
    if (this.#isAwake) return
    this.#isAwake = true
    setImmediate(this.#turn)
  }

  #beginSlice(): void {
    const now = performance.now()
    this.#until = now + SLICE
    this.#startNext(now)
  }

  #startNext(begun: number): void {
    this.#isAwake = true // what ends at once need not call for its successor
    let now = begun
    let idle = 0 // lanes in a row that had none to start
    while (idle < this.#lanes.length && now < this.#until) {
      this.#at = (this.#at + 1) % this.#lanes.length
      if (this.#startOne(this.#lanes[this.#at]!, now)) {
        now = performance.now()
        idle = 0
      } else {
        idle++
      }
    }
    this.#isAwake = false
    if (idle < this.#lanes.length) this.#wake()
  }

  #startOne(lane: Lane<Run>, now: number): boolean {
    const run = lane.next()
    if (!run) return false
    run.kind.figures.wait.observe(Math.max(0, now - run.readyAt) / 1_000)
    this.#start(run, now)
    return true
  }
}
