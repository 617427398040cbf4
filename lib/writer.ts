// The way out to one client. Frames are written to the raw socket, which is the one that came with the
// upgrade: they are framed already, and several in one turn leave in one write. What the client has not
// read has a bound: beyond it the client is given up. Once it lags, of what only the newest counts it
// gets the newest.

import type { Duplex } from 'node:stream'
import type { Batch, Frame } from './frame.ts'
import { Newest } from './newest.ts'

/** Whose way out it is. */
export interface Owner {
  readonly isOpen: boolean
  /** Gives it up: it does not read what must not be lost. */
  tooSlow(): void
}

const MAX_WAITERS = 100
const MAX_TOGETHER = 16_384 // bytes that are put together for one write

let waiting: Writer[] = [] // for the end of this turn, when what they have collected goes out

function flushAll(): void {
  const writers = waiting
  waiting = []
  for (const writer of writers) writer.flush()
}

export class Writer {
  readonly #owner: Owner
  readonly #socket: Duplex
  readonly #maxUnsent: number // bytes
  #isCorked = false
  #pending: Buffer[] | undefined // of what goes to many
  #pendingBytes = 0
  /** While it lags: see `newest.ts`. */
  #newest: Newest | undefined
  /** Who waits until it has caught up. Undefined: nobody listens for `drain`. */
  #waiters: (() => void)[] | undefined

  constructor(owner: Owner, socket: Duplex, maxUnsent: number) {
    this.#owner = owner
    this.#socket = socket
    this.#maxUnsent = maxUnsent
  }

  /** Bytes that may still be sent before the client reads. */
  get spare(): number {
    return this.#maxUnsent - this.#unread - (this.#newest?.bytes ?? 0)
  }

  /** Whether the kernel takes no more at the moment. */
  get isLagging(): boolean {
    return this.#owner.isOpen && this.#socket.writableNeedDrain
  }

  /** Resolves when it has caught up, or is closed: as one is that asks and asks, and does not read. */
  async drained(): Promise<void> {
    this.#waitForDrain()
    if (this.#waiters!.length >= MAX_WAITERS) this.#owner.tooSlow()
    else await new Promise<void>((resolve) => this.#waiters!.push(resolve))
  }

  write(frame: Frame): void {
    if (!this.#owner.isOpen) return
    const { slot, bytes } = frame
    if (slot !== undefined && this.isLagging) return this.#hold(slot, frame)
    // Who has read everything may get any message, be it larger than the bound.
    if (this.#fits(bytes.length) || this.#unread === 0) this.#put(bytes)
    else this.#owner.tooSlow()
  }

  /** At once, unless more may follow in this turn. */
  writeAll({ frames, bytes, isPlain }: Batch, mayFollowMore: boolean): void {
    if (!this.#owner.isOpen) return
    const mayGoTogether = isPlain || !this.isLagging
    if (!mayGoTogether || !this.#fits(bytes.length)) for (const frame of frames) this.write(frame)
    else if (mayFollowMore || this.#pending) this.#collect(bytes)
    else this.#socket.write(bytes)
  }

  /** Nothing of the topic that still waits goes out. */
  forget(topic: string): void {
    this.#newest?.forget(topic)
  }

  /** Offers to the kernel what waits for the end of the turn. A close would overtake it. */
  flush(): void {
    if (this.#pending) this.#writePending(this.#pending)
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#socket.uncork()
  }

  /** To be called when the client is gone. */
  close(): void {
    this.#newest = undefined
    this.#catchUp()
  }

  #hold(slot: string, frame: Frame): void {
    this.#newest ??= new Newest(this.#maxUnsent / 2)
    this.#waitForDrain()
    if (!this.#newest.put(slot, frame, this.#maxUnsent - this.#unread)) this.#owner.tooSlow()
  }

  // What the kernel takes at once does not count, so that is offered to it first.
  #fits(length: number): boolean {
    if (length <= this.spare) return true
    this.flush()
    return length <= this.spare
  }

  get #unread(): number {
    return this.#socket.writableLength + this.#pendingBytes
  }

  // At once into the socket, held back there: `ws` may close in the same turn, and that must come last.
  #put(bytes: Buffer): void {
    if (!this.#isCorked) {
      this.flush()
      this.#isCorked = true
      this.#socket.cork()
      this.#waitForEnd()
    }
    this.#socket.write(bytes)
  }

  // Not by `cork`, which costs more than the rest of a delivery.
  #collect(bytes: Buffer): void {
    if (this.#isCorked) return void this.#socket.write(bytes)
    if (this.#pendingBytes + bytes.length > MAX_TOGETHER) this.flush()
    if (!this.#pending) this.#waitForEnd()
    this.#pending ??= []
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
  }

  #writePending(pending: Buffer[]): void {
    this.#pending = undefined
    this.#pendingBytes = 0
    if (!this.#owner.isOpen) return
    this.#socket.write(pending.length === 1 ? pending[0] : Buffer.concat(pending))
  }

  #waitForEnd(): void {
    if (waiting.push(this) === 1) process.nextTick(flushAll)
  }

  #waitForDrain(): void {
    if (this.#waiters) return
    this.#waiters = []
    this.#socket.once('drain', () => this.#catchUp())
  }

  #catchUp(): void {
    const frames = this.#newest?.take() ?? []
    const waiters = this.#waiters ?? []
    this.#waiters = undefined
    for (const frame of frames) this.write(frame)
    for (const resolve of waiters) resolve()
  }
}
