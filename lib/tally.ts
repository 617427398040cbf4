// How many there are by key: connections of an address, tabs of a user, tasks of an owner. A key whose
// count is back at zero is forgotten.

export class Tally {
  readonly #counts = new Map<string, number>()

  /** Keys whose count is not zero. */
  get size(): number {
    return this.#counts.size
  }

  keys(): Iterable<string> {
    return this.#counts.keys()
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#counts.set(key, this.of(key) + 1)
  }

  remove(key: string): void {
    if (this.of(key) > 1) this.#counts.set(key, this.of(key) - 1)
    else this.#counts.delete(key)
  }
}
