// A line to stand in: first in, first out, both ends in constant time. Leaving from the middle takes a
// search. `Array.shift` moves all that is left, which 100,000 waiting tasks would feel; a `Set`, which
// could do all of this, costs several times as much for each.

export class Fifo<T> {
  #items: (T | undefined)[] = [] // undefined: has left
  #head = 0 // all before it have left
  #gone = 0 // and so have so many behind it

  get size(): number {
    return this.#items.length - this.#head - this.#gone
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    let item: T | undefined
    while (item === undefined && this.#head < this.#items.length) {
      item = this.#items[this.#head]
      if (item === undefined) this.#gone--
      this.#items[this.#head++] = undefined // so that it can be collected
    }
    if (this.#head > 1_000 && this.#head * 2 > this.#items.length) this.#compact()
    return item
  }

  /** Whether it was in the line. */
  delete(item: T): boolean {
    const at = this.#items.indexOf(item, this.#head)
    if (at === -1) return false
    this.#items[at] = undefined
    this.#gone++
    if (this.#gone > 1_000 && this.#gone * 2 > this.#items.length) this.#compact()
    return true
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head).filter((item) => item !== undefined)
    this.#head = 0
    this.#gone = 0
  }
}
