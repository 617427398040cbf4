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
import type { Identity } from './lib/auth.ts'
import { Connection, type ConnectionLimits } from './lib/connection.ts'
import { Crowd } from './lib/crowd.ts'
import { isA } from './lib/errors.ts'
import { Gate, type GateOptions } from './lib/gate.ts'
import { Heartbeat } from './lib/heartbeat.ts'
import { type Counter, type Family, Metrics } from './lib/metrics.ts'
import { checkPublish, topicFor } from './lib/permission.ts'
import {
  answerText,
  CLOSE,
  type ClientMessage,
  idOf,
  ProtocolError,
  parseFrame,
  parseMessage,
  parseTopic,
  type RequestId,
  type TopicKind,
} from './lib/protocol.ts'
import type { Subscription } from './lib/topic.ts'
import { type TopicLimits, Topics } from './lib/topics.ts'
import { inTurns } from './lib/turns.ts'
import { within } from './lib/within.ts'

export interface HubOptions extends GateOptions, ConnectionLimits, TopicLimits {
  /** Topics that one connection follows. */
  readonly maxTopics: number
  readonly metrics?: Metrics
  /** The present state of a topic, sent ahead of its changes. Undefined: there is no such topic. */
  readonly lookUps: Partial<Record<TopicKind, (name: string, who: Identity) => Promise<unknown>>>
}

const COUNTED: readonly number[] = [1000, 1002, 1005, 1006, 1007, 1009, ...Object.values(CLOSE)]
const GOODBYES_AT_ONCE = 100
const ENVELOPE = 16_384 // bytes of an answer at most, beside the messages in it

type Subscribe = Extract<ClientMessage, { type: 'subscribe' }>
type Publish = Extract<ClientMessage, { type: 'publish' }>

export class Hub {
  readonly #options: HubOptions
  readonly #gate: Gate
  readonly #connections = new Crowd<Connection>()
  readonly #heartbeat: Heartbeat
  readonly #topics: Topics
  readonly #received: Counter
  readonly #closed: Family<Counter>

  constructor(options: HubOptions) {
    const { metrics = new Metrics(), heartbeatSeconds } = options
    this.#options = options
    this.#gate = new Gate(options)
    this.#heartbeat = new Heartbeat(this.#connections, heartbeatSeconds)
    this.#topics = new Topics(options, metrics)
    this.#received = metrics.counter('socket_messages_total', 'Frames from clients.').of()
    this.#closed = metrics.counter('sockets_closed_total', 'WebSockets that ended, by code.')
    metrics.gauge('sockets', 'Open WebSockets.', () => this.size)
  }

  /** Open WebSockets. */
  get size(): number {
    return this.#connections.size
  }

  /** Whether somebody follows the topic. */
  isFollowed(topic: string): boolean {
    return this.#topics.isFollowed(topic)
  }

  /**
   * Sends data to all who follow the topic. Resolves to its offset. Rejects with a `ProtocolError` for
   * a topic that is none, one room too many, and data of more than 64 KiB in a room or to a user.
   */
  async publish(topic: string, data: unknown, from?: string): Promise<number> {
    return this.#topics.publish(topic, { data, from })!
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
    if (await within(milliseconds, this.#connections.whenEmpty())) return
    for (const connection of this.#connections) connection.terminate()
    await this.#connections.whenEmpty()
  }

  #welcome(socket: WebSocket, connection: Connection): void {
    this.#connections.add(connection)
    this.#heartbeat.start()
    socket.on('message', (data, isBinary) => this.#receive(connection, data as Buffer, isBinary))
    const hear = () => void this.#mayGoOn(connection)
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
    connection.ended()
    for (const topic of connection.subscriptions?.keys() ?? []) this.#leave(connection, topic)
    const { user, closedWith = code, error } = connection
    this.#closed.of({ code: COUNTED.includes(closedWith) ? String(closedWith) : 'other' }).add()
    this.#options.log.info('client disconnected', { code: closedWith, user, error })
  }

  #receive(connection: Connection, data: Buffer, isBinary: boolean): void {
    if (!this.#mayGoOn(connection)) return
    if (isBinary) return connection.close(CLOSE.notText, 'expected text')
    if (connection.speaksV1) this.#serve(connection, data.toString())
    else connection.sendText(`You said: ${data}`)
  }

  // Whatever comes from it counts: cheaper than to read a flood. Closing: the rest of the same packet.
  #mayGoOn(connection: Connection): boolean {
    if (!connection.isOpen) return false
    this.#received.add()
    if (connection.mayTalk()) return true
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
        return this.#subscribe(connection, message)
      case 'unsubscribe':
        this.#leave(connection, message.topic)
        return connection.send({ type: 'ok', id: message.id })
      case 'publish':
        return this.#publish(connection, message)
    }
  }

  #publish(
    connection: Connection,
    { id, topic, data, key, transient: isTransient }: Publish,
  ): void {
    checkPublish(topic)
    const { user, isGuest } = connection.identity
    const once = key && `${isGuest ? '' : user} ${key}` // a guest is somebody else when it comes back
    const offset = this.#topics.publish(topic, { data, from: user, key: once, isTransient })
    connection.send({ type: 'ok', id, offset })
  }

  async #subscribe(connection: Connection, { id, topic: name, since }: Subscribe): Promise<void> {
    const { kind, name: subject } = parseTopic(name)!
    const subscription = this.#join(connection, name, topicFor(connection.identity, name))
    const { topic } = subscription
    const lookUp = this.#options.lookUps[kind]
    // Neither a gap nor an old state: if the topic moved during the look-up, look again. Between the
    // last look and the answer nothing else runs.
    let offset: number
    let state: unknown
    do {
      offset = topic.offset
      state = await lookUp?.(subject, connection.identity)
      while (connection.isLagging) await connection.drained()
    } while (topic.offset !== offset)

    // The client may have unsubscribed, or left, while the look-up was under way.
    const isCurrent = connection.subscriptions?.get(name) === subscription
    if (lookUp && state === undefined) {
      if (isCurrent) this.#leave(connection, name)
      throw new ProtocolError('not_found', 'there is no such topic')
    }
    // What is on its way to one who follows already goes ahead of the answer, which has it, too.
    if (Number.isFinite(subscription.after)) topic.line.flush()
    connection.forget(topic.name)
    const [standing, messages] = topic.standing(since, connection.spare - ENVELOPE)
    connection.sendText(answerText(id, name, standing, messages))
    if (!isCurrent) return
    subscription.after = topic.line.last
    if (lookUp) connection.sendText(topic.textOf(state))
  }

  #join(connection: Connection, name: string, ownName: string): Subscription {
    connection.subscriptions ??= new Map()
    const { subscriptions } = connection
    const existing = subscriptions.get(name)
    if (existing) return existing
    const { maxTopics } = this.#options
    if (subscriptions.size >= maxTopics) {
      throw new ProtocolError('too_many_topics', `expected at most ${maxTopics} topics`)
    }
    const subscription = this.#topics.join(connection, ownName)
    subscriptions.set(name, subscription)
    return subscription
  }

  #leave(connection: Connection, name: string): void {
    const subscription = connection.subscriptions?.get(name)
    if (!subscription) return
    connection.subscriptions?.delete(name)
    connection.forget(subscription.topic.name)
    this.#topics.leave(subscription)
  }

  // Spread over time, so that a thousand clients do not come back at once.
  async #sayGoodbye(): Promise<void> {
    const spread = 1_000 + 5 * this.size // milliseconds
    await inTurns(this.#connections, GOODBYES_AT_ONCE, (connection) => {
      const delay = Math.round(Math.random() * spread)
      if (connection.speaksV1) connection.send({ type: 'goodbye', reconnect: true, delay })
      connection.close(CLOSE.goingAway, 'the server is stopping')
    })
  }
}
