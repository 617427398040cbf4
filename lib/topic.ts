// Topics and who follows them. A topic lives as long as somebody does; made again, it has a new
// epoch, so that an offset of the old one never passes for one of the new.

import { randomUUID } from 'node:crypto'
import { timestamp } from './clock.ts'
import { type Position, ProtocolError, type TopicMessage } from './protocol.ts'

/** Whoever can be sent a frame. */
export interface Follower {
  write(frame: Buffer): void
}

export interface Subscription {
  readonly follower: Follower
  readonly topic: Topic
  /** Whether messages go out to it: not before its request was answered. */
  isLive: boolean
}

export class Topic {
  readonly name: string
  readonly epoch = randomUUID()
  readonly subscriptions = new Set<Subscription>()
  #offset = 0

  constructor(name: string) {
    this.name = name
  }

  /** The offset of the newest message; 0 before the first. */
  get offset(): number {
    return this.#offset
  }

  /** Whether nothing was missed since then. No message is kept, so only the newest place will do. */
  hasAllSince(since: Position | undefined): boolean {
    return since?.epoch === this.epoch && since.offset === this.#offset
  }

  /** Sends data to all who follow, encoded once. Returns its offset. */
  publish(data: unknown, from?: string): number {
    const frame = Buffer.from(JSON.stringify(this.message(data, this.#offset + 1, from)))
    this.#offset++ // once it is sure that there is something to send
    for (const { isLive, follower } of this.subscriptions) if (isLive) follower.write(frame)
    return this.#offset
  }

  message(data: unknown, offset?: number, from?: string): TopicMessage {
    return { type: 'message', topic: this.name, offset, from, at: timestamp(), data }
  }
}

/** All topics that somebody follows; at most `maxRooms` of them are rooms. */
export class Topics {
  readonly #topics = new Map<string, Topic>()
  readonly #maxRooms: number
  #rooms = 0

  constructor(maxRooms: number) {
    this.#maxRooms = maxRooms
  }

  has(name: string): boolean {
    return this.#topics.has(name)
  }

  /** Throws a `ProtocolError` if this would be one room too many. */
  join(follower: Follower, name: string): Subscription {
    const topic = this.#topics.get(name) ?? this.#make(name)
    const subscription = { follower, topic, isLive: false }
    topic.subscriptions.add(subscription)
    return subscription
  }

  /** Leaving twice is leaving once. */
  leave(subscription: Subscription): void {
    const { topic } = subscription
    const hasLeft = topic.subscriptions.delete(subscription)
    if (!hasLeft || topic.subscriptions.size > 0) return
    this.#topics.delete(topic.name)
    if (isRoom(topic.name)) this.#rooms--
  }

  /** Returns the offset. A topic that nobody follows would be made for this one message: 1. */
  publish(name: string, data: unknown, from?: string): number {
    return this.#topics.get(name)?.publish(data, from) ?? 1
  }

  #make(name: string): Topic {
    if (isRoom(name) && this.#rooms >= this.#maxRooms) {
      throw new ProtocolError('too_many_rooms', 'no more rooms can be opened at the moment')
    }
    const topic = new Topic(name)
    this.#topics.set(name, topic)
    if (isRoom(name)) this.#rooms++
    return topic
  }
}

function isRoom(name: string): boolean {
  return name.startsWith('room:')
}
