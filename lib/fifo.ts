// A line to stand in: first in, first out, both ends in constant time.
// `Array.shift` moves all that is left, which 100,000 waiting tasks would feel.

export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0 // what is before it has left

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.size > 0) this.#items[this.#head++] = undefined // so that it can be collected
    if (this.#head > 1_000 && this.#head * 2 > this.#items.length) this.#compact()
    return item
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}
