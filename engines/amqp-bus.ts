// The bus on RabbitMQ, for fan-out only: one topic exchange, and a queue for each server, which gets
// all. Each server counts and keeps the messages of a room by itself, so nobody resumes on another, and
// presence is each server's own. After a break nobody can know what was missed, and all are told so.

import { randomUUID } from 'node:crypto'
import {
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type RecoveringChannelModel,
} from 'amqplib'
import {
  type Bus,
  type BusOf,
  type Inbox,
  isShared,
  type KeyedPublication,
  type Offset,
  unavailable,
} from '../lib/bus.ts'
import type { BusOptions } from '../lib/engines.ts'
import { describeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { checkPublication } from '../lib/topic.ts'
import { within } from '../lib/within.ts'
import { Bounded } from './bounded.ts'
import { Health } from './health.ts'

const EXCHANGE = 'meanwhile'
const QUEUE = {
  exclusive: true, // gone with its server
  arguments: { 'x-max-length-bytes': 64 * 1_048_576 }, // the oldest go first, and leave a gap
}
const HEARTBEAT = 2 // seconds; two missed, and the connection is given up
const PATIENCE = 1_000 // milliseconds for a confirmation
const FIRST_WAIT = 5_000 // milliseconds for the first connection
const MAX_SERVERS = 1_000 // whose numbers are known
const RECOVERY = { initialDelay: 100, maxDelay: 2_000, jitter: 0.5, waitForConnect: false }
const FATAL = /ACCESS.REFUSED|NOT.ALLOWED/

export function busOf(url: string, { log }: BusOptions): BusOf {
  return (inbox) => new AmqpBus(new Broker(withHeartbeat(url), log), inbox)
}

/** A connection that comes back by itself, with all that has to be there on the other side. */
class Broker {
  readonly health: Health
  readonly #url: string
  #connection: RecoveringChannelModel | undefined
  #channel: ConfirmChannel | undefined
  #onOpen: () => void = () => {}
  #onMessage: (message: ConsumeMessage) => void = () => {}

  constructor(url: string, log: Log) {
    this.#url = url
    this.health = new Health('RabbitMQ', log)
  }

  /** Resolves when it has answered, or has not in so many milliseconds. Rejects if it refuses. */
  async connect(milliseconds: number): Promise<void> {
    const recovery = { ...RECOVERY, setup: (model: ChannelModel) => this.#setUp(model) }
    const connection = await connect(this.#url, { timeout: PATIENCE, recovery })
    this.#connection = connection
    const refusal = new Promise<never>((_, reject) => {
      connection.on('connect-failed', (error) => FATAL.test(error.message) && reject(error))
    })
    for (const event of ['disconnect', 'connect-failed', 'error', 'blocked']) {
      connection.on(event, (reason) => this.health.failed(reason))
    }
    connection.on('connect', () => this.health.answered())
    connection.on('unblocked', () => this.health.answered())
    try {
      await within(milliseconds, Promise.race([refusal, connection.waitForConnect()]))
    } catch (error) {
      await this.close()
      throw new Error(`RabbitMQ refuses the connection: ${describeError(error).message}`)
    }
  }

  /** `onOpen` is called at each connection. */
  listen(onOpen: () => void, onMessage: (message: ConsumeMessage) => void): void {
    this.#onOpen = onOpen
    this.#onMessage = onMessage
  }

  /** Resolves when it was brought to all queues. */
  async publish(topic: string, content: Buffer, headers: Headers): Promise<void> {
    const channel = this.#channel
    if (!channel) throw unavailable('RabbitMQ is away')
    await new Promise<void>((resolve, reject) => {
      const confirm = (error: unknown) => (error ? reject(unavailable(error)) : resolve())
      channel.publish(EXCHANGE, topic.replace(':', '.'), content, { headers }, confirm)
    })
  }

  async close(): Promise<void> {
    await within(PATIENCE, this.#connection?.close() ?? Promise.resolve())
  }

  async #setUp(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel()
    const lost = () => {
      if (this.#channel === channel) this.#channel = undefined
      model.close().catch(() => {}) // then it connects again, and all is set up anew
    }
    channel.on('close', lost)
    channel.on('error', () => {}) // `close` follows
    await channel.assertExchange(EXCHANGE, 'topic', { durable: false })
    const { queue } = await channel.assertQueue('', QUEUE)
    await channel.bindQueue(queue, EXCHANGE, '#')
    const hear = (message: ConsumeMessage | null) => message && this.#onMessage(message)
    await channel.consume(queue, hear, { noAck: true })
    this.#channel = channel
    this.#onOpen()
  }
}

interface Headers {
  readonly server: string
  /** Counts what the server sends, so that a loss can be seen. */
  readonly number: number
}

class AmqpBus implements Bus {
  readonly hasRooms = false
  readonly #broker: Broker
  readonly #inbox: Inbox
  readonly #unconfirmed = new Bounded(PATIENCE)
  #server = randomUUID()
  #sent = 0
  readonly #numbers = new Map<string, number>() // of the newest from each server, the last heard last

  constructor(broker: Broker, inbox: Inbox) {
    this.#broker = broker
    this.#inbox = inbox
    broker.listen(
      () => this.#opened(),
      (message) => this.#hear(message),
    )
  }

  async open(): Promise<void> {
    await this.#broker.connect(FIRST_WAIT)
  }

  get problem(): string | undefined {
    return this.#broker.health.problem
  }

  publish(topic: string, publication: KeyedPublication): Offset | Promise<Offset> {
    if (!isShared(topic)) return this.#inbox.deliver(topic, publication)
    return this.#publish(topic, publication)
  }

  follow(): undefined {}

  leave(): void {}

  join(): void {}

  part(): void {}

  async close(): Promise<void> {
    await this.#broker.close()
  }

  // To the others first: what they don't get counts as not sent.
  async #publish(topic: string, publication: KeyedPublication): Promise<Offset> {
    checkPublication(topic, publication)
    const content = Buffer.from(JSON.stringify({ topic, publication }))
    const headers = { server: this.#server, number: ++this.#sent }
    const send = () => this.#broker.publish(topic, content, headers)
    await this.#unconfirmed.send(content.length, send)
    return this.#inbox.deliver(topic, publication)
  }

  // What went by meanwhile is not kept anywhere.
  #opened(): void {
    this.#server = randomUUID() // what it sent last may not have arrived: its numbers begin anew
    this.#sent = 0
    this.#numbers.clear()
    this.#inbox.interrupt()
  }

  #hear({ content, properties }: ConsumeMessage): void {
    const { server, number } = properties.headers as unknown as Headers
    if (server === this.#server) return
    this.#count(server, number)
    const { topic, publication } = JSON.parse(content.toString())
    this.#inbox.deliver(topic, publication)
  }

  // A queue that has become too long has lost its oldest.
  #count(server: string, number: number): void {
    const before = this.#numbers.get(server)
    if (before !== undefined && number !== before + 1) this.#inbox.interrupt()
    this.#numbers.delete(server)
    this.#numbers.set(server, number)
    if (this.#numbers.size > MAX_SERVERS) this.#numbers.delete(this.#numbers.keys().next().value!)
  }
}

// With the default, a minute, nobody would notice for two that it has gone.
function withHeartbeat(url: string): string {
  const { searchParams } = new URL(url)
  if (searchParams.has('heartbeat')) return url
  return `${url}${url.includes('?') ? '&' : '?'}heartbeat=${HEARTBEAT}`
}
