// All topics of this server, above the bus that brings them what is published. One that is no room is
// there while somebody follows it. A room stays, for those who come back, until another one needs its
// place: then the one that was left longest ago goes; where the bus has the rooms, they stay there.

import type { KeyedPublication, Offset, Publication } from './bus.ts'
import { type Bus, type BusOf, embeddedBus, type Inbox, isShared } from './bus.ts'
import { Fanout } from './fanout.ts'
import { Archive } from './history.ts'
import type { Counter, Metrics } from './metrics.ts'
import { kindOf } from './permission.ts'
import { type Position, ProtocolError } from './protocol.ts'
import { Recent } from './recent.ts'
import { type Subscriber, type Subscription, Topic } from './topic.ts'
import { inTurns } from './turns.ts'

export interface TopicLimits {
  /** Rooms that exist at the same time. */
  readonly maxRooms: number
  /** Messages that a room keeps. */
  readonly history: number
}

export const KEY_LIFETIME = 300_000 // milliseconds
const MAX_KEYS = 100_000
const ASKED_AT_ONCE = 100 // to come back

export class Topics implements Inbox {
  readonly #topics = new Map<string, Topic>()
  readonly #left = new Set<Topic>() // rooms that nobody follows, the longest left first
  readonly #fanout = new Fanout()
  readonly #archive: Archive
  readonly #keys = new Recent<number | undefined>(KEY_LIFETIME, MAX_KEYS)
  readonly #maxRooms: number
  readonly #bus: Bus
  readonly #gaps: Counter
  #rooms = 0

  constructor({ maxRooms, history }: TopicLimits, metrics: Metrics, busOf: BusOf = embeddedBus) {
    this.#maxRooms = maxRooms
    this.#bus = busOf(this)
    this.#archive = new Archive(history)
    metrics.gauge('rooms', 'Rooms, followed or remembered.', () => this.#rooms)
    metrics.gauge('history_bytes', 'Messages that rooms keep.', () => this.#archive.bytes)
    metrics.gauge('bus_problem', '1 when nothing goes over the bus.', () => (this.problem ? 1 : 0))
    this.#gaps = metrics.counter('bus_gaps_total', 'Times the bus may have lost something.').of()
  }

  /** Why messages do not reach the other servers for now, if so. */
  get problem(): string | undefined {
    return this.#bus.problem
  }

  isFollowed(name: string): boolean {
    return this.#topics.size > 0 && (this.#topics.get(name)?.isFollowed ?? false)
  }

  /** Throws a `ProtocolError` if this would be one room too many. */
  subscribe(follower: Subscriber, name: string): Subscription {
    const topic = this.#topics.get(name) ?? this.#make(name)
    this.#left.delete(topic)
    if (topic.kind === 'room') this.#bus.join(name, follower.user)
    return topic.subscribe(follower)
  }

  /**
   * Resolves when the topic is here at least as new as `since`; undefined: it is. Rejects with a
   * `ProtocolError`.
   */
  catchUp({ name }: Topic, since: Position | undefined): Promise<void> | undefined {
    return this.#bus.follow(name, since)
  }

  /** Twice is once. */
  unsubscribe(subscription: Subscription): void {
    const { topic, follower } = subscription
    if (!topic.unsubscribe(subscription)) return
    if (topic.kind === 'room') this.#bus.part(topic.name, follower.user)
    if (topic.isFollowed) return
    this.#bus.leave(topic.name)
    if (topic.kind !== 'room') this.#topics.delete(topic.name)
    else if (this.#bus.hasRooms) this.#drop(topic)
    else this.#left.add(topic)
  }

  /**
   * Gives the offset, none for a transient message. A topic that is no room, and that nobody follows,
   * would be made for this one message: 1. Throws or rejects with a `ProtocolError`.
   */
  publish(name: string, publication: KeyedPublication): Offset | Promise<Offset> {
    return this.#bus.publish(name, publication)
  }

  /** Sends what is still on its way. */
  flush(): void {
    this.#fanout.flush()
  }

  async open(): Promise<void> {
    await this.#bus.open()
  }

  async close(): Promise<void> {
    await this.#bus.close()
  }

  deliver(name: string, { key, ...publication }: KeyedPublication): Offset {
    if (key === undefined) return this.#deliver(name, publication)
    const once = `${name} ${key}` // names have no spaces
    const known = this.#keys.find(once)
    if (known) return known.value
    const offset = this.#deliver(name, publication)
    this.#keys.set(once, offset)
    return offset
  }

  append(room: string, offset: number, text: string): void {
    this.#topics.get(room)?.append(offset, text)
  }

  load(room: string, position: Position, messages: readonly string[]): void {
    this.#topics.get(room)?.load(position, messages)
  }

  join(room: string, user: string): void {
    this.#topics.get(room)?.join(user)
  }

  part(room: string, user: string): void {
    this.#topics.get(room)?.part(user)
  }

  interrupt(names: Iterable<string> = this.#topics.keys()): void {
    const topics = [...names].filter(isShared).flatMap((name) => this.#topics.get(name) ?? [])
    if (topics.length === 0) return
    for (const topic of topics) topic.interrupt()
    this.#gaps.add()
    void this.#askBack(new Set(topics.flatMap((topic) => [...topic.followers()])))
  }

  // Spread over time, so that they do not all come back at once.
  async #askBack(followers: ReadonlySet<Subscriber>): Promise<void> {
    const spread = 100 + 5 * followers.size // milliseconds
    await inTurns(followers, ASKED_AT_ONCE, (follower) => {
      follower.comeBack(Math.round(Math.random() * spread))
    })
  }

  #deliver(name: string, publication: Publication): Offset {
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
    if (this.#rooms >= this.#maxRooms) this.#drop(this.#longestLeft())
    this.#rooms++
  }

  #longestLeft(): Topic {
    const [oldest] = this.#left
    if (oldest) return oldest
    throw tooManyRooms()
  }
  #drop(room: Topic): void {
    room.close()
    this.#left.delete(room)
    this.#topics.delete(room.name)
    this.#rooms--
  }
}

export function tooManyRooms(): ProtocolError {
  return new ProtocolError('too_many_rooms', 'no more rooms can be opened at the moment')
}
