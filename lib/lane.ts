// A lane: some slots, and a line of those that wait for one. The highest priority goes first, and
// within one priority who came first. What has a lane of its own never waits behind the others.

import { Fifo } from './fifo.ts'

interface Level<T> {
  readonly priority: number
  readonly line: Fifo<T>
}

export class Lane<T> {
  readonly #levels: Level<T>[] = [] // the highest priority first; those in use, and they are few
  #free: number

  constructor(slots: number) {
    this.#free = slots
  }

  /** Slots that nobody has. */
  get free(): number {
    return this.#free
  }

  enter(item: T, priority: number): void {
    this.#level(priority).line.push(item)
  }

  /** Leaves the line without having had a slot. */
  quit(item: T): void {
    for (const { line } of this.#levels) if (line.delete(item)) return
  }

  /** The next in line, which takes a slot. Undefined if nobody waits or no slot is free. */
  next(): T | undefined {
    if (this.#free === 0) return undefined
    for (const { line } of this.#levels) {
      if (line.size === 0) continue
      this.#free--
      return line.shift()
    }
    return undefined
  }

  /** Gives a slot back. */
  leave(): void {
    this.#free++
  }

  #level(priority: number): Level<T> {
    const at = this.#levels.findIndex((level) => level.priority <= priority)
    const found = this.#levels[at]
    if (found?.priority === priority) return found
    const level = { priority, line: new Fifo<T>() }
    this.#levels.splice(at === -1 ? this.#levels.length : at, 0, level)
    return level
  }
}
