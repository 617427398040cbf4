// Tasks whose attempt was ended by a crash: they run again one at a time, so that only the one that
// brings the process down every time is blamed for it.

import type { Run } from './run.ts'

/** So often a task may lose its process; then it is failed. */
export const MAX_INTERRUPTIONS = 5

export class Interrupted {
  readonly #start: (run: Run) => void
  #waiting: Run[] = []
  #current: Run | undefined

  constructor(start: (run: Run) => void) {
    this.#start = start
  }

  /** Those that were interrupted least go first: the one that does it comes last. */
  begin(runs: readonly Run[]): void {
    this.#waiting = runs.toSorted((a, b) => a.interruptions - b.interruptions)
    this.#next()
  }

  /** Its turn is over, if it had one, or will not come. */
  leave(run: Run): void {
    if (run === this.#current) return this.#next()
    const at = this.#waiting.indexOf(run)
    if (at !== -1) this.#waiting.splice(at, 1)
  }

  #next(): void {
    this.#current = this.#waiting.shift()
    if (this.#current) this.#start(this.#current)
  }
}
