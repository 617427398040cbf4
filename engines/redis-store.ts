// What Redis is asked for rooms and channels: one message, one answer, and of a refusal what a client is
// told of it.

import { randomUUID } from 'node:crypto'
import { type KeyedPublication, unavailable } from '../lib/bus.ts'
import type { BusOptions } from '../lib/engines.ts'
import { describeError } from '../lib/errors.ts'
import { textFrame } from '../lib/frame.ts'
import { MAX_ROOM_BYTES } from '../lib/history.ts'
import { type Position, ProtocolError } from '../lib/protocol.ts'
import { checkMessage, messageText } from '../lib/topic.ts'
import { KEY_LIFETIME, tooManyRooms } from '../lib/topics.ts'
import { Bounded } from './bounded.ts'
import { PATIENCE } from './redis.ts'
import type { RoomState } from './redis-rooms.ts'
import type { RoomLink } from './redis-scripts.ts'

/** Milliseconds after which a server is taken for dead. */
export const SILENCE = 10_000

export class RedisStore {
  /** Of all keys and channels. */
  readonly prefix: string
  readonly #link: RoomLink
  readonly #options: BusOptions
  readonly #unconfirmed = new Bounded(PATIENCE)

  constructor(link: RoomLink, options: BusOptions) {
    this.#link = link
    this.#options = options
    this.prefix = `meanwhile:${link.commands.options.db ?? 0}:` // channels know no databases
  }

  /** Resolves to the message's offset. Rejects with a `ProtocolError`, as the others do. */
  async append(room: string, { data, from, key }: KeyedPublication): Promise<number> {
    const text = messageText(room, data, 0, from)
    const bytes = checkMessage(textFrame(text))
    const at = text.indexOf('"offset":0') + '"offset":'.length
    const [head, tail] = [text.slice(0, at), text.slice(at + 1)]
    const id = key === undefined ? '' : `${room} ${key}`
    const kept = [this.#options.history, MAX_ROOM_BYTES]
    const rest = [id, KEY_LIFETIME, ...kept, this.prefix + room, head, tail]
    return Number(await this.#send(bytes, () => this.#ask('publishInRoom', room, rest)))
  }

  /** What Redis has of the room, or what is new since. */
  async read(room: string, known: Position | undefined): Promise<RoomState> {
    const asked = [known?.epoch ?? '', known?.offset ?? 0]
    const state = await this.#send(0, () => this.#ask('readRoom', room, asked))
    const [epoch, offset, texts, members] = state as [string, number, string[], string[]]
    return { position: { epoch, offset }, texts, members }
  }

  /** To all servers that follow the topic at the moment. */
  async tell(topic: string, message: string): Promise<void> {
    const send = () => this.#link.commands.publish(this.prefix + topic, message)
    await this.#send(Buffer.byteLength(message), send)
  }

  async #send<T>(bytes: number, send: () => Promise<T>): Promise<T> {
    try {
      return await this.#unconfirmed.send(bytes, send)
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  async #ask(
    script: 'publishInRoom' | 'readRoom',
    room: string,
    rest: readonly (string | number)[],
  ): Promise<unknown> {
    const { run, commands } = this.#link
    if (run === '') throw new Error('Redis is away')
    const common = [this.prefix, room, run, randomUUID(), this.#options.maxRooms, SILENCE]
    return commands[script](...common, ...rest)
  }

  #refusal(error: unknown): ProtocolError {
    if (error instanceof ProtocolError) return error
    if (describeError(error).message.includes('TOOMANYROOMS')) return tooManyRooms()
    this.#link.refused(error)
    return unavailable(error)
  }
}
