// A connection to RabbitMQ that comes back by itself, with all that has to be there on the other side:
// the exchange, and a queue of this server's own that gets everything.

import {
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type RecoveringChannelModel,
} from 'amqplib'
import { unavailable } from '../lib/bus.ts'
import { describeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { within } from '../lib/within.ts'
import { Health } from './health.ts'

export const PATIENCE = 1_000 // milliseconds for a confirmation
const EXCHANGE = 'meanwhile'
const QUEUE = {
  exclusive: true, // gone with its server
  arguments: { 'x-max-length-bytes': 64 * 1_048_576 }, // the oldest go first, and leave a gap
}
const HEARTBEAT = 2 // seconds; two missed, and the connection is given up
const RECOVERY = { initialDelay: 100, maxDelay: 2_000, jitter: 0.5, waitForConnect: false }
const FATAL = /ACCESS.REFUSED|NOT.ALLOWED/

export interface Headers {
  readonly server: string
  /** Counts what the server sends, so that a loss can be seen. */
  readonly number: number
}

export class AmqpBroker {
  readonly health: Health
  readonly #url: string
  #connection: RecoveringChannelModel | undefined
  #channel: ConfirmChannel | undefined
  #onOpen: () => void = () => {}
  #onMessage: (message: ConsumeMessage) => void = () => {}

  constructor(url: string, log: Log) {
    this.#url = withHeartbeat(url)
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
      try {
        channel.publish(EXCHANGE, topic.replace(':', '.'), content, { headers }, confirm)
      } catch (error) {
        confirm(error) // the channel has closed just now
      }
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

// With the default, a minute, nobody would notice for two that it has gone.
function withHeartbeat(url: string): string {
  const { searchParams } = new URL(url)
  if (searchParams.has('heartbeat')) return url
  return `${url}${url.includes('?') ? '&' : '?'}heartbeat=${HEARTBEAT}`
}
