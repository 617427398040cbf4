// One client's WebSocket, with what the hub keeps of it and how much it may cost: messages a second,
// bytes that it has not read yet, and one missed heartbeat.

import { WebSocket } from 'ws'
import { TokenBucket } from './limits.ts'
import { CLOSE, type ServerMessage, SUBPROTOCOL } from './protocol.ts'
import type { Subscription } from './topic.ts'

export interface ConnectionLimits {
  /** Bytes that wait for a client which does not read. */
  readonly maxUnsent: number
  /** Messages a second from it, and how many at once. */
  readonly messageRate: number
  readonly messageBurst: number
}

export class Connection {
  readonly user: string
  /** By topic. */
  readonly subscriptions = new Map<string, Subscription>()
  /** The code with which the server closed it, if it did: a client that is gone can't repeat it. */
  closedWith: number | undefined
  /** What it sent against the RFC, as `ws` names it; `ws` then closes with the code for that. */
  error: string | undefined
  readonly #socket: WebSocket
  readonly #maxUnsent: number
  readonly #bucket: TokenBucket
  #isAlive = true

  constructor(socket: WebSocket, user: string, limits: ConnectionLimits) {
    this.user = user
    this.#socket = socket
    this.#maxUnsent = limits.maxUnsent
    this.#bucket = new TokenBucket(limits.messageRate, limits.messageBurst)
  }

  /** False from the first close on, whoever began it: what still comes in is not heard. */
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN
  }

  /** Whether it speaks `meanwhile.v1`; without a subprotocol it gets the echo. */
  get speaksV1(): boolean {
    return this.#socket.protocol === SUBPROTOCOL
  }

  /** To be called for whatever comes from it. */
  showLife(): void {
    this.#isAlive = true
  }

  /** To be called for each message. False if it sends more than it may. */
  mayTalk(): boolean {
    return this.#bucket.take()
  }

  send(message: ServerMessage): void {
    this.write(Buffer.from(JSON.stringify(message)))
  }

  /** Sends one text frame. A client that has too much unread is closed instead. */
  write(frame: Buffer): void {
    if (!this.isOpen) return
    const unsent = this.#socket.bufferedAmount
    // Who has read everything may get any message, be it larger than the bound.
    if (unsent === 0 || unsent + frame.length <= this.#maxUnsent) {
      this.#socket.send(frame, { binary: false })
    } else {
      this.close(CLOSE.slow, 'too slow a reader')
    }
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return
    this.closedWith = code
    this.#socket.close(code, reason)
  }

  failed(error: NodeJS.ErrnoException): void {
    this.error = error.code
  }

  /** Cuts it without a word. */
  terminate(): void {
    this.#socket.terminate()
  }

  /** Asks for a sign of life. One that gave none since the last time is gone. */
  beat(): void {
    if (!this.#isAlive) return this.terminate()
    this.#isAlive = false
    if (this.isOpen) this.#socket.ping()
  }
}
