// What a lagging reader is sent when it has caught up: of each slot the newest frame only.

import type { Frame } from './frame.ts'

export class Newest {
  readonly #frames = new Map<string, Frame>() // by their slots, the oldest first
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Takes the place of an older one. False if there is no room for what must not be lost. */
  put(slot: string, frame: Frame, room: number = this.#maxBytes): boolean {
    const max = Math.min(this.#maxBytes, room)
    this.#delete(slot)
    this.#frames.set(slot, frame)
    this.#bytes += frame.bytes.length
    for (const [old, { isLossy }] of this.#frames) {
      if (this.#bytes <= max) return true
      if (isLossy) this.#delete(old)
    }
    return this.#bytes <= max
  }

  /** Lets go of a topic's frames: its own slot, and those of its members. */
  forget(topic: string): void {
    for (const slot of this.#frames.keys()) {
      if (slot === topic || slot.startsWith(`${topic} `)) this.#delete(slot)
    }
  }

  /** Hands over all of them, the oldest first. */
  take(): Frame[] {
    const frames = [...this.#frames.values()]
    this.#frames.clear()
    this.#bytes = 0
    return frames
  }

  #delete(slot: string): void {
    this.#bytes -= this.#frames.get(slot)?.bytes.length ?? 0
    this.#frames.delete(slot)
  }
}
