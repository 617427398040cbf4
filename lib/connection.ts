// One client's WebSocket, with what the hub keeps of it and how much it may cost: messages a second,
// bytes that it has not read yet, one missed heartbeat, and no longer than its token allows.
//
// Frames are written to the raw socket, which is the one that came with the upgrade: they are framed
// already, and several in one turn leave in one write.

import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type Batch, type Frame, textFrame } from './frame.ts'
import type { Client } from './gate.ts'
import type { Identity } from './identity.ts'
import { Newest } from './newest.ts'
import { CLOSE, type ServerMessage, SUBPROTOCOL } from './protocol.ts'
import { TokenBucket } from './token-bucket.ts'
import type { Subscription } from './topic.ts'

export interface ConnectionLimits {
  /** Bytes that wait for a client which does not read. */
  readonly maxUnsent: number
  /** Messages a second from it, and how many at once. */
  readonly messageRate: number
  readonly messageBurst: number
  readonly heartbeatSeconds: number
}

const MAX_WAITERS = 100

export class Connection {
  readonly client: Client
  /** By topic. Undefined before the first. */
  subscriptions: Map<string, Subscription> | undefined
  /** The code with which the server closed it, if it did: a client that is gone can't repeat it. */
  closedWith: number | undefined
  /** What it sent against the RFC, as `ws` names it; `ws` then closes with the code for that. */
  error: string | undefined
  readonly #socket: WebSocket
  readonly #raw: Duplex
  readonly #limits: ConnectionLimits
  readonly #bucket: TokenBucket
  #isAlive = true
  #nextBeat: number // `performance.now()`
  #isCorked = false
  /** While it lags: what only the newest counts of, and who waits until it has read the rest. */
  #newest: Newest | undefined
  #waiters: (() => void)[] | undefined

  constructor(socket: WebSocket, raw: Duplex, client: Client, limits: ConnectionLimits) {
    this.client = client
    this.#socket = socket
    this.#raw = raw
    this.#limits = limits
    this.#bucket = new TokenBucket(limits.messageRate, limits.messageBurst)
    this.#nextBeat = performance.now() + limits.heartbeatSeconds * 1_000
  }

  get identity(): Identity {
    return this.client.identity
  }

  get user(): string {
    return this.identity.user
  }

  /** False from the first close on, whoever began it: what still comes in is not heard. */
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  /** Whether it speaks `meanwhile.v1`; without a subprotocol it gets the echo. */
  get speaksV1(): boolean {
    return this.#socket.protocol === SUBPROTOCOL
  }

  /**
   * To be called for whatever comes from it. False if it sends more than it may. The first sign of life
   * after a ping, which was asked for, is free.
   */
  mayTalk(): boolean {
    if (this.#isAlive) return this.#bucket.take()
    this.#isAlive = true
    return true
  }

  /** Bytes that may still be sent to it before it reads. */
  get spare(): number {
    return this.#limits.maxUnsent - this.#raw.writableLength - (this.#newest?.bytes ?? 0)
  }

  send(message: ServerMessage): void {
    this.sendText(JSON.stringify(message))
  }

  /** A client that has too much unread is closed instead. */
  sendText(text: string): void {
    this.#put({ bytes: textFrame(text) })
  }

  /** The same for what goes to many. */
  deliver({ frames, bytes, isPlain }: Batch): void {
    if (!this.isOpen) return
    const mayGoTogether = isPlain || !this.isLagging
    if (mayGoTogether && this.#fits(bytes.length)) this.#write(bytes)
    else for (const frame of frames) this.#put(frame)
  }

  /** Whether the kernel takes no more for it at the moment. */
  get isLagging(): boolean {
    return this.isOpen && this.#raw.writableNeedDrain
  }

  /** Resolves when it has caught up, or is closed: as one is that asks and asks, and does not read. */
  async drained(): Promise<void> {
    this.#waitForDrain()
    if (this.#waiters!.length >= MAX_WAITERS) this.#tooSlow()
    else await new Promise<void>((resolve) => this.#waiters!.push(resolve))
  }

  /** Nothing of the topic that still waits goes out. */
  forget(topic: string): void {
    this.#newest?.forget(topic)
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return
    this.closedWith = code
    this.#socket.close(code, reason)
  }

  failed(error: NodeJS.ErrnoException): void {
    this.error = error.code
  }

  /** To be called when it is gone. */
  ended(): void {
    this.#newest = undefined
    this.#catchUp()
  }

  /** Cuts it without a word. */
  terminate(): void {
    this.#socket.terminate()
  }

  /** Ends it with its token. When it is time, asks for a sign of life; who gave none since is gone. */
  beat(now: number): void {
    const { expires } = this.identity
    if (expires !== undefined && expires <= Date.now()) {
      return this.close(CLOSE.expired, 'the token has expired')
    }
    if (now < this.#nextBeat) return
    if (!this.#isAlive) return this.terminate()
    this.#isAlive = false
    this.#nextBeat = now + this.#limits.heartbeatSeconds * 1_000
    if (this.isOpen) this.#socket.ping()
  }

  #put(frame: Frame): void {
    if (!this.isOpen) return
    const { slot, bytes } = frame
    if (slot !== undefined && this.isLagging) return this.#hold(slot, frame)
    // Who has read everything may get any message, be it larger than the bound.
    if (this.#fits(bytes.length) || this.#raw.writableLength === 0) this.#write(bytes)
    else this.#tooSlow()
  }

  // What the kernel takes at once does not count, so that is offered to it first.
  #fits(length: number): boolean {
    if (length > this.spare) this.#uncork()
    return length <= this.spare
  }

  #hold(slot: string, frame: Frame): void {
    this.#newest ??= new Newest(this.#limits.maxUnsent / 2)
    this.#waitForDrain()
    if (!this.#newest.put(slot, frame)) this.#tooSlow()
  }

  #tooSlow(): void {
    this.close(CLOSE.slow, 'too slow a reader')
  }

  #write(bytes: Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#raw.cork()
      process.nextTick(() => this.#uncork())
    }
    this.#raw.write(bytes)
  }

  #uncork(): void {
    this.#isCorked = false
    this.#raw.uncork()
  }

  #waitForDrain(): void {
    if (this.#waiters) return
    this.#waiters = []
    this.#raw.once('drain', () => this.#catchUp())
  }

  #catchUp(): void {
    const frames = this.#newest?.take() ?? []
    const waiters = this.#waiters ?? []
    this.#waiters = undefined
    for (const frame of frames) this.#put(frame)
    for (const resolve of waiters) resolve()
  }
}
