// One client's WebSocket, with what the hub keeps of it and how much it may cost: messages a second,
// bytes that it has not read yet (see `writer.ts`), one missed heartbeat, and no longer than its token
// allows.

import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { type Batch, textFrame } from './frame.ts'
import type { Client } from './gate.ts'
import type { Identity } from './identity.ts'
import { CLOSE, type ServerMessage, SUBPROTOCOL } from './protocol.ts'
import { TokenBucket } from './token-bucket.ts'
import type { Subscription } from './topic.ts'
import { Writer } from './writer.ts'

export interface ConnectionLimits {
  /** Bytes that wait for a client which does not read. */
  readonly maxUnsent: number
  /** Messages a second from it, and how many at once. */
  readonly messageRate: number
  readonly messageBurst: number
  readonly heartbeatSeconds: number
}

export class Connection {
  readonly client: Client
  readonly writer: Writer
  /** By topic. Undefined before the first. */
  subscriptions: Map<string, Subscription> | undefined
  readonly #socket: WebSocket
  readonly #raw: Duplex
  readonly #heartbeat: number // milliseconds
  readonly #bucket: TokenBucket
  #closedWith: number | undefined
  #error: string | undefined
  #isAlive = true
  #isDeaf = false
  #nextBeat: number // `performance.now()`

  constructor(socket: WebSocket, raw: Duplex, client: Client, limits: ConnectionLimits) {
    this.client = client
    this.writer = new Writer(this, raw, limits.maxUnsent)
    this.#socket = socket
    this.#raw = raw
    this.#heartbeat = limits.heartbeatSeconds * 1_000
    this.#bucket = new TokenBucket(limits.messageRate, limits.messageBurst)
    this.#nextBeat = performance.now() + this.#heartbeat
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

  /** The code with which the server closed it, if it did: a client that is gone can't repeat it. */
  get closedWith(): number | undefined {
    return this.#closedWith
  }

  /** What it sent against the RFC, as `ws` names it; `ws` then closes with the code for that. */
  get error(): string | undefined {
    return this.#error
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

  send(message: ServerMessage): void {
    this.sendText(JSON.stringify(message))
  }

  /** A client that has too much unread is closed instead. */
  sendText(text: string): void {
    this.writer.write({ bytes: textFrame(text) })
  }

  /** The same for what goes to many (see `fanout.ts`). */
  deliver(batch: Batch, mayFollowMore = false): void {
    this.writer.writeAll(batch, mayFollowMore)
  }

  close(code: number, reason: string): void {
    if (!this.isOpen) return
    this.#closedWith = code
    this.writer.flush()
    this.#socket.close(code, reason)
  }

  tooSlow(): void {
    this.close(CLOSE.slow, 'too slow a reader')
  }

  /** Closes it if its token has expired. True: it has, and this was what closed it. */
  closeIfExpired(): boolean {
    const { expires } = this.identity
    if (!this.isOpen || expires === undefined || expires > Date.now()) return false
    this.close(CLOSE.expired, 'the token has expired')
    return true
  }

  /**
   * For one that was closed and floods on: until it closes, too, its frames would cost as much as
   * before. What still comes is thrown away unread.
   */
  deafen(): void {
    if (this.#isDeaf) return
    this.#isDeaf = true
    this.#raw.removeAllListeners('data').resume() // as `ws` does after an error
    this.#raw.end()
  }

  failed(error: NodeJS.ErrnoException): void {
    this.#error = error.code
  }

  /** Tells it to come back after so many milliseconds, and closes it. */
  sayGoodbye(code: number, reason: string, delay: number): void {
    if (this.speaksV1) this.send({ type: 'goodbye', reconnect: true, delay })
    this.close(code, reason)
  }

  comeBack(delay: number): void {
    this.sayGoodbye(CLOSE.gap, 'something may be missing: come back and resume', delay)
  }

  /** Cuts it without a word. */
  terminate(): void {
    this.#socket.terminate()
  }

  /** Ends it with its token. When it is time, asks for a sign of life; who gave none since is gone. */
  beat(now: number): void {
    if (this.closeIfExpired()) return
    if (now < this.#nextBeat) return
    if (!this.#isAlive) return this.terminate()
    this.#isAlive = false
    this.#nextBeat = now + this.#heartbeat
    if (this.isOpen) this.#socket.ping()
  }
}
