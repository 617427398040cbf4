// What the loads of the soak share: the server's address, chance, the end, and a place for what they
// count and for what they find wrong.

import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { randomOf } from '../../network.ts'

const MAX_PROBLEMS = 20

export class World {
  readonly url: string
  /** Aborted when the load is to end. */
  readonly over = new AbortController()
  readonly counts = new Map<string, number>()
  readonly problems: string[] = []
  readonly #seed: number
  #dice = 0

  constructor(url: string, seed: number) {
    this.url = url
    this.#seed = seed
    setMaxListeners(0, this.over.signal) // all who pause listen
  }

  get isOver(): boolean {
    return this.over.signal.aborted
  }

  /** Chance of its own for each who asks, so that none depends on when another one throws. */
  dice(): Dice {
    return new Dice(randomOf(this.#seed + this.#dice++))
  }

  readonly count = (what: string): void => {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  readonly expect = (isRight: unknown, problem: string): void => {
    if (isRight) return
    this.problems.push(problem)
    if (this.problems.length >= MAX_PROBLEMS) this.over.abort()
  }

  /** What a load can't go on after. */
  fail(error: unknown): void {
    this.problems.push(inspect(error))
    this.over.abort()
  }

  /** Does it again and again until the end, with a pause of up to so many milliseconds. */
  async repeat(most: number, dice: Dice, act: () => Promise<unknown>): Promise<void> {
    while (!this.isOver) {
      await act()
      await this.pause(dice.upTo(most))
    }
  }

  /** Shorter, when the end comes. */
  readonly pause = async (milliseconds: number): Promise<void> => {
    await delay(milliseconds, undefined, { signal: this.over.signal }).catch(() => {})
  }
}

export class Dice {
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  /** True in so many of a hundred cases. */
  percent(share: number): boolean {
    return this.#random() * 100 < share
  }

  upTo(most: number): number {
    return this.#random() * most
  }

  oneOf<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)]!
  }
}
