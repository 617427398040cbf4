// What is found by a number that counts up, and forgotten in about that order: a page for each 256 of
// them. With hundreds of thousands in it, a `Map` of all takes several times as long for each.

const SIZE = 256

interface Page<T> {
  readonly items: (T | undefined)[]
  count: number
}

export class Pages<T> {
  readonly #pages = new Map<number, Page<T>>() // the lowest numbers first; none is empty

  get(number: number): T | undefined {
    return this.#pages.get(Math.floor(number / SIZE))?.items[number % SIZE]
  }

  /** A number that is higher than all that were ever set. */
  set(number: number, item: T): void {
    const at = Math.floor(number / SIZE)
    let page = this.#pages.get(at)
    if (!page) {
      page = { items: [], count: 0 }
      this.#pages.set(at, page)
    }
    page.items[number % SIZE] = item
    page.count++
  }

  /** One that is there. */
  delete(number: number): void {
    const at = Math.floor(number / SIZE)
    const page = this.#pages.get(at)!
    page.items[number % SIZE] = undefined
    if (--page.count === 0) this.#pages.delete(at)
  }

  *values(): Generator<T> {
    for (const { items } of this.#pages.values()) {
      for (const item of items) if (item !== undefined) yield item
    }
  }
}
