// What was said in a room, for those who come back. It is bounded for each room, in messages and in
// bytes, and for all rooms together: there the one in which nothing was said for longest loses its own.

/** Of what one room keeps. */
export const MAX_ROOM_BYTES = 262_144
const MAX_BYTES = 64 * 1_048_576

interface Entry {
  /** The message as JSON. */
  readonly text: string
  readonly bytes: number
}

export class History {
  /** The newest last. Their offsets follow one on the other. */
  readonly #entries: Entry[] = []
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  get size(): number {
    return this.#entries.length
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
    this.#bytes += entry.bytes
  }

  shift(): void {
    this.#bytes -= this.#entries.shift()?.bytes ?? 0
  }

  clear(): void {
    this.#entries.length = 0
    this.#bytes = 0
  }

  /** The newest, oldest of them first: so many of them, and so many bytes, at most. */
  newest(count: number, maxBytes: number): string[] {
    const texts: string[] = []
    let room = maxBytes
    for (let i = this.#entries.length - 1; i >= 0 && texts.length < count; i--) {
      const { text, bytes } = this.#entries[i]!
      room -= bytes + 1 // and a comma
      if (room < 0) break
      texts.push(text)
    }
    return texts.reverse()
  }
}

/** The histories of all rooms. */
export class Archive {
  readonly #maxMessages: number
  readonly #histories = new Set<History>() // that hold something, the longest idle first
  #bytes = 0

  /** So many messages of one room are kept. */
  constructor(maxMessages: number) {
    this.#maxMessages = maxMessages
  }

  get bytes(): number {
    return this.#bytes
  }

  add(history: History, text: string): void {
    const before = history.bytes
    history.push({ text, bytes: Buffer.byteLength(text) })
    while (history.size > this.#maxMessages || history.bytes > MAX_ROOM_BYTES) history.shift()
    this.#bytes += history.bytes - before
    this.#histories.delete(history) // so that it moves to the end
    if (history.size > 0) this.#histories.add(history)
    for (const idle of this.#histories) {
      if (this.#bytes <= MAX_BYTES) break
      this.forget(idle)
    }
  }

  forget(history: History): void {
    this.#bytes -= history.bytes
    history.clear()
    this.#histories.delete(history)
  }
}
