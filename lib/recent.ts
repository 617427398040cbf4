// A memory with two bounds: so many entries, and so many milliseconds for each.

export class Recent<V> {
  readonly #entries = new Map<string, { value: V; until: number }>() // the oldest first
  readonly #milliseconds: number
  readonly #max: number

  constructor(milliseconds: number, max: number) {
    this.#milliseconds = milliseconds
    this.#max = max
  }

  /** The value in an object, since it may be undefined. */
  find(key: string, now = performance.now()): { readonly value: V } | undefined {
    const entry = this.#entries.get(key)
    return entry && entry.until > now ? entry : undefined
  }

  set(key: string, value: V, now = performance.now()): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: now + this.#milliseconds })
    for (const [old, { until }] of this.#entries) {
      if (until > now && this.#entries.size <= this.#max) return
      this.#entries.delete(old)
    }
  }
}
