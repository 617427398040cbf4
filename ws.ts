// The hub: WebSockets behind a gate, an echo for whoever asks for no subprotocol, and topics to
// subscribe and publish to in `meanwhile.v1` (see `lib/protocol.ts`).
//
// It promises: no frame ends the process; what a client may hold (connections, topics, rooms, unread
// bytes, messages a second) has a bound and a defined answer; a peer that is gone is noticed within
// two heartbeats; who comes back to a room misses nothing, or is told so. Other topics keep nothing.
// It knows nothing of tasks: it is given look-ups, and it is told what to publish.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { BusOf } from './lib/bus.ts'
import { Connection, type ConnectionLimits } from './lib/connection.ts'
import { Crowd } from './lib/crowd.ts'
import { isA } from './lib/errors.ts'
import { Gate, type GateOptions } from './lib/gate.ts'
import { Heartbeat } from './lib/heartbeat.ts'
import { type Counter, type Family, Metrics } from './lib/metrics.ts'
import { checkPublish } from './lib/permission.ts'
import {
  CLOSE,
  type ClientMessage,
  idOf,
  ProtocolError,
  parseFrame,
  parseMessage,
  type RequestId,
} from './lib/protocol.ts'
import { type SubscriptionOptions, Subscriptions } from './lib/subscriptions.ts'
import { type TopicLimits, Topics } from './lib/topics.ts'
import { inTurns } from './lib/turns.ts'
import { within } from './lib/within.ts'

export interface HubOptions
  extends GateOptions,
    ConnectionLimits,
    SubscriptionOptions,
    TopicLimits {
  readonly metrics?: Metrics
  /** What connects it to other servers. Without: it is the only one. */
  readonly bus?: BusOf | undefined
}

const COUNTED: readonly number[] = [1000, 1002, 1005, 1006, 1007, 1009, ...Object.values(CLOSE)]
const GOODBYES_AT_ONCE = 100

type Publish = Extract<ClientMessage, { type: 'publish' }>

export class Hub {
  readonly #options: HubOptions
  readonly #gate: Gate
  readonly #connections = new Crowd<Connection>()
  readonly #heartbeat: Heartbeat
  readonly #topics: Topics
  readonly #subscriptions: Subscriptions
  readonly #received: Counter
  readonly #closed: Family<Counter>

  constructor(options: HubOptions) {
    const { metrics = new Metrics(), heartbeatSeconds } = options
    this.#options = options
    this.#gate = new Gate(options)
    this.#heartbeat = new Heartbeat(this.#connections, heartbeatSeconds)
    this.#topics = new Topics(options, metrics, options.bus)
    this.#subscriptions = new Subscriptions(this.#topics, options)
    this.#received = metrics.counter('socket_messages_total', 'Frames from clients.').of()
    this.#closed = metrics.counter('sockets_closed_total', 'WebSockets that ended, by code.')
    metrics.gauge('sockets', 'Open WebSockets.', () => this.size)
  }

  /** To be called before anybody is let in. Rejects if the bus to other servers refuses. */
  async open(): Promise<void> {
    await this.#topics.open()
  }

  /** Open WebSockets. */
  get size(): number {
    return this.#connections.size
  }

  /** Why what is published does not reach the other servers for now, if so. */
  get problem(): string | undefined {
    return this.#topics.problem
  }

  /** Whether somebody follows the topic. */
  isFollowed(topic: string): boolean {
    return this.#topics.isFollowed(topic)
  }

  /**
   * Sends data to all who follow the topic. Resolves to its offset. Rejects with a `ProtocolError` for
   * a topic that is none, one room too many, and a message of more than 65 KiB in a room or to a user.
   */
  async publish(topic: string, data: unknown): Promise<number> {
    return (await this.#topics.publish(topic, { data }))!
  }

  /** Takes over the socket of an HTTP request: the listener of the server's `upgrade`. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#gate.upgrade(req, socket, head, (webSocket, client) => {
      this.#welcome(webSocket, new Connection(webSocket, socket, client, this.#options))
    })
  }

  /** Says goodbye to all, in batches. Who has not closed after so many milliseconds is cut off. */
  async close(milliseconds: number): Promise<void> {
    this.#topics.flush()
    await this.#sayGoodbye()
    await within(milliseconds, this.#connections.whenEmpty())
    for (const connection of this.#connections) connection.terminate()
    await this.#connections.whenEmpty()
    await this.#topics.close()
  }

  #welcome(socket: WebSocket, connection: Connection): void {
    this.#connections.add(connection)
    this.#heartbeat.start()
    socket.on('message', (data, isBinary) => this.#receive(connection, data as Buffer, isBinary))
    const hear = () => void this.#admits(connection)
    socket.on('ping', hear)
    socket.on('pong', hear)
    socket.on('close', (code) => this.#farewell(connection, code))
    socket.on('error', (error) => connection.failed(error)) // `close` follows
    this.#options.log.info('client connected', { user: connection.user, clients: this.size })
  }

  #farewell(connection: Connection, code: number): void {
    this.#connections.delete(connection)
    if (this.size === 0) this.#heartbeat.stop()
    this.#gate.leave(connection.client)
    connection.writer.close()
    this.#subscriptions.unsubscribeAll(connection)
    const { user, closedWith = code, error } = connection
    this.#closed.of({ code: COUNTED.includes(closedWith) ? String(closedWith) : 'other' }).add()
    this.#options.log.info('client disconnected', { code: closedWith, user, error })
  }

  #receive(connection: Connection, data: Buffer, isBinary: boolean): void {
    if (!this.#admits(connection)) return
    if (isBinary) return connection.close(CLOSE.notText, 'expected text')
    if (connection.speaksV1) this.#serve(connection, data.toString())
    else connection.sendText(`You said: ${data}`)
  }

  // All that a client sends counts, pings too; a flood is refused before it is read. Once it is
  // closing, the rest is dropped, and who floods on is not listened to any more.
  #admits(connection: Connection): boolean {
    const mayTalk = connection.mayTalk()
    if (!connection.isOpen || connection.closeIfExpired()) {
      if (!mayTalk) connection.deafen()
      return false
    }
    this.#received.add()
    if (mayTalk) return true
    const detail = `expected at most ${this.#options.messageRate} messages a second`
    if (connection.speaksV1) connection.send({ type: 'error', code: 'rate_limited', detail })
    connection.close(CLOSE.rate, detail)
    return false
  }

  // Never rejects: whatever a message leads to ends here.
  async #serve(connection: Connection, text: string): Promise<void> {
    let id: RequestId | undefined
    try {
      const frame = parseFrame(text)
      id = idOf(frame)
      await this.#handle(connection, parseMessage(frame))
    } catch (error) {
      if (isA(error, ProtocolError)) {
        return connection.send({ type: 'error', id, code: error.code, detail: error.message })
      }
      this.#options.log.error('message failed', { error })
      connection.close(CLOSE.failure, 'the server failed')
    }
  }

  async #handle(connection: Connection, message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'ping':
        return connection.send({ type: 'pong' })
      case 'subscribe':
        return this.#subscriptions.subscribe(connection, message)
      case 'unsubscribe':
        this.#subscriptions.unsubscribe(connection, message.topic)
        return connection.send({ type: 'ok', id: message.id })
      case 'publish':
        return this.#publish(connection, message)
    }
  }

  async #publish(
    connection: Connection,
    { id, topic, data, key, transient: isTransient }: Publish,
  ): Promise<void> {
    checkPublish(topic)
    const { user, isGuest } = connection.identity
    const once = key && `${isGuest ? '' : user} ${key}` // a guest is somebody else when it comes back
    const published = this.#topics.publish(topic, { data, from: user, key: once, isTransient })
    // Without another server to wait for, the answer is out before the next frame is looked at.
    const offset = published instanceof Promise ? await published : published
    connection.send({ type: 'ok', id, offset })
  }

  // Spread over time, so that a thousand clients do not come back at once.
  async #sayGoodbye(): Promise<void> {
    const spread = 1_000 + 5 * this.size // milliseconds
    await inTurns(this.#connections, GOODBYES_AT_ONCE, (connection) => {
      const delay = Math.round(Math.random() * spread)
      connection.sayGoodbye(CLOSE.goingAway, 'the server is stopping', delay)
    })
  }
}
