// The bus on RabbitMQ, for fan-out only: what one server publishes is brought to all. Each counts and
// keeps the messages of a room by itself, so nobody resumes on another, and presence is each server's
// own. After a break nobody can know what was missed, and all are told so.

import { randomUUID } from 'node:crypto'
import type { ConsumeMessage } from 'amqplib'
import {
  type Bus,
  type BusOf,
  type Inbox,
  isShared,
  type KeyedPublication,
  type Offset,
} from '../lib/bus.ts'
import type { BusOptions } from '../lib/engines.ts'
import { isA } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { ProtocolError } from '../lib/protocol.ts'
import { checkPublication } from '../lib/topic.ts'
import { AmqpBroker, type Headers, PATIENCE } from './amqp.ts'
import { Bounded } from './bounded.ts'

const FIRST_WAIT = 5_000 // milliseconds for the first connection
const MAX_SERVERS = 1_000 // whose numbers are known

export function busOf(url: string, { log }: BusOptions): BusOf {
  return (inbox) => new AmqpBus(new AmqpBroker(url, log), inbox, log)
}

class AmqpBus implements Bus {
  readonly hasRooms = false
  readonly #broker: AmqpBroker
  readonly #inbox: Inbox
  readonly #log: Log
  readonly #unconfirmed = new Bounded(PATIENCE)
  #server = randomUUID()
  #sent = 0
  readonly #numbers = new Map<string, number>() // of the newest from each server, the last heard last

  constructor(broker: AmqpBroker, inbox: Inbox, log: Log) {
    this.#broker = broker
    this.#inbox = inbox
    this.#log = log
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
    const send = () => {
      const headers = { server: this.#server, number: ++this.#sent }
      return this.#broker.publish(topic, content, headers)
    }
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
    try {
      const { server, number } = properties.headers as unknown as Headers
      if (server === this.#server) return
      this.#count(server, number)
      const { topic, publication } = JSON.parse(content.toString())
      this.#inbox.deliver(topic, publication)
    } catch (error) {
      // Where no more rooms can be opened, nobody follows this one.
      if (!isA(error, ProtocolError)) this.#log.error('no message of a server', { error })
    }
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
