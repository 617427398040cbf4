// Lanes: each has some slots and a line of those that wait for one, first come, first served. What
// has a lane of its own never waits behind the others.

import type { Definition } from './definition.ts'
import { Fifo } from './fifo.ts'

type LaneOwner = Pick<Definition<never>, 'name' | 'concurrency'>

export class Lane<T> {
  readonly #line = new Fifo<T>()
  #free: number

  constructor(slots: number) {
    this.#free = slots
  }

  enter(item: T): void {
    this.#line.push(item)
  }

  /** The next in line, which takes a slot. Undefined if nobody waits or no slot is free. */
  next(): T | undefined {
    if (this.#free === 0 || this.#line.size === 0) return undefined
    this.#free--
    return this.#line.shift()
  }

  /** Gives a slot back. */
  leave(): void {
    this.#free++
  }
}

/** The shared lane, and one for each definition that asks for slots of its own. */
export class Lanes<T> {
  readonly shared: Lane<T>
  readonly #all: Lane<T>[]
  readonly #definitions = new Map<string, { definition: LaneOwner; lane: Lane<T> }>()

  constructor(slots: number) {
    this.shared = new Lane(slots)
    this.#all = [this.shared]
  }

  [Symbol.iterator](): Iterator<Lane<T>> {
    return this.#all.values()
  }

  /** Throws a `TypeError` if another definition has the same name: by it tasks are found. */
  of(definition: LaneOwner): Lane<T> {
    const { name, concurrency } = definition
    const known = this.#definitions.get(name)
    if (known && known.definition !== definition) {
      throw new TypeError(`two definitions have the name "${name}"`)
    }
    if (known) return known.lane

    const lane = concurrency === undefined ? this.shared : new Lane<T>(concurrency)
    if (lane !== this.shared) this.#all.push(lane)
    this.#definitions.set(name, { definition, lane })
    return lane
  }
}
