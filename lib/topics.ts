// All topics. One that is no room is there while somebody follows it. A room stays, for those who come
// back, until another one needs its place: then the one that was left longest ago goes.

import { Fanout } from './fanout.ts'
import { Archive } from './history.ts'
import type { Metrics } from './metrics.ts'
import { kindOf } from './permission.ts'
import { ProtocolError } from './protocol.ts'
import { Recent } from './recent.ts'
import { type Publication, type Subscriber, type Subscription, Topic } from './topic.ts'

export interface TopicLimits {
  /** Rooms that exist at the same time. */
  readonly maxRooms: number
  /** Messages that a room keeps. */
  readonly history: number
}

export interface KeyedPublication extends Publication {
  /** A second message with it in one topic has no effect, and the first one's answer. */
  readonly key?: string | undefined
}

const KEY_LIFETIME = 300_000 // milliseconds
const MAX_KEYS = 100_000

export class Topics {
  readonly #topics = new Map<string, Topic>()
  readonly #left = new Set<Topic>() // rooms that nobody follows, the longest left first
  readonly #fanout = new Fanout()
  readonly #archive: Archive
  readonly #keys = new Recent<number | undefined>(KEY_LIFETIME, MAX_KEYS)
  readonly #maxRooms: number
  #rooms = 0

  constructor({ maxRooms, history }: TopicLimits, metrics: Metrics) {
    this.#maxRooms = maxRooms
    this.#archive = new Archive(history)
    metrics.gauge('rooms', 'Rooms, followed or remembered.', () => this.#rooms)
    metrics.gauge('history_bytes', 'Messages that rooms keep.', () => this.#archive.bytes)
  }

  isFollowed(name: string): boolean {
    return this.#topics.size > 0 && (this.#topics.get(name)?.isFollowed ?? false)
  }

  /** Throws a `ProtocolError` if this would be one room too many. */
  subscribe(follower: Subscriber, name: string): Subscription {
    const topic = this.#topics.get(name) ?? this.#make(name)
    this.#left.delete(topic)
    return topic.subscribe(follower)
  }

  /** Twice is once. */
  unsubscribe(subscription: Subscription): void {
    const { topic } = subscription
    if (!topic.unsubscribe(subscription) || topic.isFollowed) return
    if (topic.kind === 'room') this.#left.add(topic)
    else this.#topics.delete(topic.name)
  }

  /**
   * Returns the offset, none for a transient message. A topic that is no room, and that nobody
   * follows, would be made for this one message: 1. Throws a `ProtocolError`.
   */
  publish(name: string, { key, ...publication }: KeyedPublication): number | undefined {
    if (key === undefined) return this.#publish(name, publication)
    const once = `${name} ${key}` // names have no spaces
    const known = this.#keys.find(once)
    if (known) return known.value
    const offset = this.#publish(name, publication)
    this.#keys.set(once, offset)
    return offset
  }

  /** Sends what is still on its way. */
  flush(): void {
    this.#fanout.flush()
  }

  #publish(name: string, publication: Publication): number | undefined {
    const topic = this.#topics.get(name) ?? (kindOf(name) === 'room' && this.#make(name))
    if (!topic) return 1
    if (this.#left.delete(topic)) this.#left.add(topic) // to the end
    return topic.publish(publication)
  }

  #make(name: string): Topic {
    const kind = kindOf(name)
    if (kind === 'room') this.#makeRoom()
    const topic = new Topic(name, kind, this.#fanout, this.#archive)
    this.#topics.set(name, topic)
    if (kind === 'room') this.#left.add(topic) // until somebody subscribes
    return topic
  }

  #makeRoom(): void {
    if (this.#rooms < this.#maxRooms) {
      this.#rooms++
      return
    }
    const [oldest] = this.#left
    if (!oldest) {
      throw new ProtocolError('too_many_rooms', 'no more rooms can be opened at the moment')
    }
    oldest.close()
    this.#left.delete(oldest)
    this.#topics.delete(oldest.name)
  }
}
