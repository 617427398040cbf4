// All tasks that are known: those on their way, and the last so many that have ended. Of these the
// failed ones are remembered longer, since somebody may still have to look at them. What the ended
// ones hold, results and payloads for another try, has a bound in bytes: the oldest let go of theirs.

import { randomBytes } from 'node:crypto'
import { Fifo } from './fifo.ts'
import { Pages } from './pages.ts'
import { MAX_HELD_BYTES, sizeOf } from './result.ts'
import type { Run } from './run.ts'
import type { State, Task } from './task.ts'

export interface ListOptions {
  /** Only theirs. Without: everybody's. */
  readonly owner?: string | undefined
  readonly state?: State | undefined
  readonly name?: string | undefined
  readonly limit: number
  /** The `next` of the page before. */
  readonly after?: number | undefined
}

export interface Page {
  readonly tasks: readonly Task[]
  /** The `after` of the following page, null on the last one. */
  readonly next: string | null
}

export class TaskStore {
  readonly #keep: number
  readonly #prefix = `${randomBytes(8).toString('hex')}-` // of the ids that are made here
  readonly #runs = new Pages<Run>() // oldest task first
  readonly #strangers = new Map<string, Run>() // by their ids, which were made by another process
  readonly #byKey = new Map<string, Run>()
  readonly #failed = new Fifo<Run>() // those that have ended, oldest first, here and in
  readonly #others = new Fifo<Run>()
  readonly #holding = new Fifo<Run>() // of these, those that hold bytes
  #heldBytes = 0
  #count = 0

  constructor(keep: number) {
    this.#keep = keep
  }

  [Symbol.iterator](): Iterator<Run> {
    return this.#runs.values()
  }

  /**
   * An id that no other task has, here or in another process. It ends with the task's number, by which
   * it is found: that takes a tenth of the time of a map of texts. The same until `add` is called.
   */
  newId(): string {
    return `${this.#prefix}${this.#count.toString(36)}`
  }

  find(id: string): Run | undefined {
    const run = this.#runs.get(Number.parseInt(id.slice(id.indexOf('-') + 1), 36))
    return run?.id === id ? run : this.#strangers.get(id)
  }

  findKey(key: string | undefined): Run | undefined {
    return key === undefined ? undefined : this.#byKey.get(key)
  }

  /** The newest first. A page goes on at a number, also when its task is forgotten meanwhile. */
  list({ owner, state, name, limit, after = Number.POSITIVE_INFINITY }: ListOptions): Page {
    const matching = [...this.#runs.values()].filter(
      (run) =>
        run.number < after &&
        (owner === undefined || run.owner === owner) &&
        (!state || run.state === state) &&
        (!name || run.name === name),
    )
    const page = matching.slice(-limit).reverse()
    const next = matching.length > limit ? String(page.at(-1)!.number) : null
    return { tasks: page.map((run) => run.snapshot()), next }
  }

  add(run: Run): void {
    run.number = this.#count++
    this.#runs.set(run.number, run)
    if (run.key !== undefined) this.#byKey.set(run.key, run)
  }

  /** One that was accepted by another process. */
  adopt(run: Run): void {
    this.add(run)
    this.#strangers.set(run.id, run)
  }

  remove(run: Run): void {
    this.#runs.delete(run.number)
    if (this.#strangers.size > 0) this.#strangers.delete(run.id)
    // A later task may have the same key.
    if (run.key !== undefined && this.findKey(run.key) === run) this.#byKey.delete(run.key)
  }

  /** One that has ended. Another that has may be forgotten for it. */
  finish(run: Run): void {
    const line = run.state === 'failed' ? this.#failed : this.#others
    line.push(run)
    const bytes = heldBy(run)
    this.#heldBytes += bytes
    if (bytes > 0) this.#holding.push(run)
    if (this.#failed.size + this.#others.size > this.#keep) this.#forgetOne()
    while (this.#heldBytes > MAX_HELD_BYTES) this.#letGo(this.#holding.shift()!)
  }

  /** One that had ended and is to run again. */
  revive(run: Run): void {
    if (!this.#failed.delete(run)) this.#others.delete(run)
    this.#release(run)
  }

  // At most half of those kept may be failed ones, or else a success would be forgotten at once.
  #forgetOne(): void {
    const isTooMany = this.#failed.size > this.#keep / 2
    const oldest = isTooMany ? this.#failed.shift() : (this.#others.shift() ?? this.#failed.shift())
    this.#release(oldest!)
    this.remove(oldest!)
  }

  #release(run: Run): void {
    const bytes = heldBy(run)
    if (bytes === 0) return
    this.#holding.delete(run)
    this.#heldBytes -= bytes
  }

  #letGo(run: Run): void {
    this.#heldBytes -= heldBy(run)
    run.result = null
    run.payload = undefined
    run.isGone = true
  }
}

function heldBy({ result, payloadBytes }: Run): number {
  return sizeOf(result) + payloadBytes
}
