// The hub: WebSockets behind a gate, an echo for whoever asks for no subprotocol, and topics to
// subscribe and publish to in `meanwhile.v1` (see `lib/protocol.ts`).
//
// It promises: no frame ends the process; what a client may hold (connections, topics, rooms, unread
// bytes, messages a second) has a bound and a defined answer; a peer that is gone is noticed within
// two heartbeats. It keeps no messages: who was away missed them, and is told so (`recovered`).
// It knows nothing of tasks: it is given look-ups, and it is told what to publish.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import { Connection, type ConnectionLimits } from './lib/connection.ts'
import { Crowd } from './lib/crowd.ts'
import { isA } from './lib/errors.ts'
import { Gate, type GateOptions } from './lib/gate.ts'
import {
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
import { type Subscription, Topics } from './lib/topic.ts'
import { within } from './lib/within.ts'

export interface HubOptions extends GateOptions, ConnectionLimits {
  /** Topics that one connection follows. */
  readonly maxTopics: number
  /** Rooms that exist at the same time. */
  readonly maxRooms: number
  readonly heartbeatSeconds: number
  /** The present state of a topic, sent ahead of its changes. Undefined: there is no such topic. */
  readonly lookUps: Partial<Record<TopicKind, (name: string, user: string) => Promise<unknown>>>
}

const GOODBYES_AT_ONCE = 100

type Subscribe = Extract<ClientMessage, { type: 'subscribe' }>

export class Hub {
  readonly #options: HubOptions
  readonly #gate: Gate
  readonly #connections = new Crowd<Connection>()
  readonly #topics: Topics
  #heartbeat: NodeJS.Timeout | undefined // beats while somebody is there

  constructor(options: HubOptions) {
    this.#options = options
    this.#gate = new Gate(options)
    this.#topics = new Topics(options.maxRooms)
  }

  /** Open WebSockets. */
  get size(): number {
    return this.#connections.size
  }

  /** Whether somebody follows the topic. */
  isFollowed(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** Sends data to all who follow the topic. Resolves to its offset. */
  async publish(topic: string, data: unknown, from?: string): Promise<number> {
    return this.#topics.publish(topic, data, from)
  }

  /** Takes over the socket of an HTTP request: the listener of the server's `upgrade`. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#gate.upgrade(req, socket, head, (webSocket, { user }) => {
      this.#welcome(webSocket, new Connection(webSocket, user, this.#options))
    })
  }

  /** Says goodbye to all, in batches. Who has not closed after so many milliseconds is cut off. */
  async close(milliseconds: number): Promise<void> {
    await this.#sayGoodbye()
    if (await within(milliseconds, this.#connections.whenEmpty())) return
    for (const connection of this.#connections) connection.terminate()
    await this.#connections.whenEmpty()
  }

  #welcome(socket: WebSocket, connection: Connection): void {
    this.#connections.add(connection)
    // The beat comes after a look at the sockets: pongs that came while the loop was blocked count.
    const beat = () => setImmediate(() => this.#beat())
    this.#heartbeat ??= setInterval(beat, this.#options.heartbeatSeconds * 1_000).unref()
    socket.on('message', (data, isBinary) => this.#receive(connection, data as Buffer, isBinary))
    socket.on('pong', () => connection.showLife())
    socket.on('close', (code) => this.#farewell(connection, code))
    socket.on('error', (error) => connection.failed(error)) // `close` follows
    this.#options.log.info('client connected', { user: connection.user, clients: this.size })
  }

  #farewell(connection: Connection, code: number): void {
    this.#connections.delete(connection)
    for (const topic of connection.subscriptions.keys()) this.#leave(connection, topic)
    const { user, closedWith, error } = connection
    if (this.size === 0) {
      clearInterval(this.#heartbeat)
      this.#heartbeat = undefined
    }
    this.#options.log.info('client disconnected', { code: closedWith ?? code, user, error })
  }

  #receive(connection: Connection, data: Buffer, isBinary: boolean): void {
    if (!connection.isOpen) return // closing: the rest of the same packet
    connection.showLife()
    if (!connection.mayTalk()) return this.#silence(connection)
    if (isBinary) return connection.close(CLOSE.notText, 'expected text')
    if (connection.speaksV1) this.#serve(connection, data.toString())
    else connection.write(Buffer.from(`You said: ${data}`))
  }

  #silence(connection: Connection): void {
    const detail = `expected at most ${this.#options.messageRate} messages a second`
    if (connection.speaksV1) connection.send({ type: 'error', code: 'rate_limited', detail })
    connection.close(CLOSE.rate, detail)
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
      case 'publish': {
        const { id, topic, data } = message
        if (parseTopic(topic)?.kind !== 'room') {
          throw new ProtocolError('forbidden', 'only the server publishes to this topic')
        }
        const offset = await this.publish(topic, data, connection.user)
        return connection.send({ type: 'ok', id, offset })
      }
    }
  }

  async #subscribe(connection: Connection, { id, topic: name, since }: Subscribe): Promise<void> {
    const { kind, name: subject } = parseTopic(name)!
    if (kind === 'user' && subject !== connection.user) {
      throw new ProtocolError('forbidden', 'only this user may follow the topic')
    }
    const subscription = this.#join(connection, name)
    const { topic } = subscription
    const lookUp = this.#options.lookUps[kind]
    // Neither a gap nor an old state: if the topic moved during the look-up, look again. Between the
    // last look and the answer nothing else runs.
    let offset: number
    let state: unknown
    do {
      offset = topic.offset
      state = await lookUp?.(subject, connection.user)
    } while (topic.offset !== offset)

    // The client may have unsubscribed, or left, while the look-up was under way.
    const isCurrent = connection.subscriptions.get(name) === subscription
    if (lookUp && state === undefined) {
      if (isCurrent) this.#leave(connection, name)
      throw new ProtocolError('not_found', 'there is no such topic')
    }
    const { epoch } = topic
    const recovered = topic.hasAllSince(since)
    connection.send({ type: 'ok', id, topic: name, epoch, offset, recovered, messages: [] })
    if (!isCurrent) return
    subscription.isLive = true
    if (lookUp) connection.send(topic.message(state))
  }

  #join(connection: Connection, topic: string): Subscription {
    const existing = connection.subscriptions.get(topic)
    if (existing) return existing
    if (connection.subscriptions.size >= this.#options.maxTopics) {
      throw new ProtocolError(
        'too_many_topics',
        `expected at most ${this.#options.maxTopics} topics`,
      )
    }
    const subscription = this.#topics.join(connection, topic)
    connection.subscriptions.set(topic, subscription)
    return subscription
  }

  #leave({ subscriptions }: Connection, topic: string): void {
    const subscription = subscriptions.get(topic)
    subscriptions.delete(topic)
    if (subscription) this.#topics.leave(subscription)
  }

  #beat(): void {
    for (const connection of this.#connections) connection.beat()
  }

  // Spread over time, so that a thousand clients do not come back at once.
  async #sayGoodbye(): Promise<void> {
    const spread = 1_000 + 5 * this.size // milliseconds
    let said = 0
    for (const connection of this.#connections) {
      const delay = Math.round(Math.random() * spread)
      if (connection.speaksV1) connection.send({ type: 'goodbye', reconnect: true, delay })
      connection.close(CLOSE.goingAway, 'the server is stopping')
      if (++said % GOODBYES_AT_ONCE === 0) await turn()
    }
  }
}
