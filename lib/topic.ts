// A topic: who follows it, and how many messages it has had. A room has a history and members, too.

import { randomUUID } from 'node:crypto'
import { timestamp } from './clock.ts'
import { type Fanout, type Follower, type Following, Outbox } from './fanout.ts'
import { textFrame } from './frame.ts'
import { type Archive, History } from './history.ts'
import { Presence } from './presence.ts'
import {
  MAX_FRAME,
  type Position,
  ProtocolError,
  type ServerMessage,
  type Standing,
  type TopicKind,
  type TopicMessage,
} from './protocol.ts'

/** A client that follows topics. */
export interface Subscriber extends Follower {
  readonly user: string
}

export interface Subscription extends Following {
  readonly follower: Subscriber
  readonly topic: Topic
}

export interface Publication {
  readonly data: unknown
  /** The user; undefined: the server. */
  readonly from?: string | undefined
  /** Without an offset and a history: for what only counts at the moment. */
  readonly isTransient?: boolean | undefined
}

const MAX_MESSAGE = MAX_FRAME + 1_024 // bytes: what a client's frame can hold, and what is put around it

export class Topic {
  readonly name: string
  readonly kind: TopicKind
  /** Each making of a topic has its own, so that an offset of an old one never passes for a new one. */
  readonly epoch = randomUUID()
  readonly #outbox: Outbox
  readonly #shown: string
  readonly #archive: Archive
  readonly #history: History | undefined
  readonly #presence: Presence | undefined
  #offset = 0
  #changed = 0 // the number of the newest change of presence

  constructor(name: string, kind: TopicKind, fanout: Fanout, archive: Archive) {
    this.name = name
    this.kind = kind
    this.#outbox = new Outbox(fanout)
    this.#shown = kind === 'tasks' ? kind : name // each user has a topic of that name
    this.#archive = archive
    if (kind !== 'room') return
    this.#history = new History()
    this.#presence = new Presence((change) => {
      this.#outbox.push(frameOf({ type: 'presence', topic: name, ...change }), this.#changed)
    })
  }

  /** The offset of the newest message; 0 before the first. */
  get offset(): number {
    return this.#offset
  }

  get isFollowed(): boolean {
    return this.#outbox.followers.size > 0
  }

  /** Nothing goes out to it before it has had its answer. */
  subscribe(follower: Subscriber): Subscription {
    const subscription = { follower, topic: this, after: Number.POSITIVE_INFINITY }
    this.#outbox.followers.add(subscription)
    if (this.#presence?.join(follower.user)) this.#changed = this.#outbox.reserve()
    return subscription
  }

  /** Sends at once what is on its way to those who follow. */
  flush(): void {
    this.#outbox.flush()
  }

  /** From here on it gets what comes. */
  begin(subscription: Subscription): void {
    subscription.after = this.#outbox.last
  }

  /** False if it had ended before. */
  unsubscribe(subscription: Subscription): boolean {
    if (!this.#outbox.followers.delete(subscription)) return false
    if (this.#presence?.leave(subscription.follower.user)) this.#changed = this.#outbox.reserve()
    if (!this.isFollowed) this.#presence?.clear()
    return true
  }

  /** Returns the message's offset, none if it is transient. Throws a `ProtocolError` if it is too big. */
  publish({ data, from, isTransient }: Publication): number | undefined {
    const offset = isTransient ? undefined : this.#offset + 1
    const text = this.textOf(data, offset, from)
    const bytes = textFrame(text)
    const isBounded = this.kind === 'room' || this.kind === 'user'
    if (isBounded && bytes.length > MAX_MESSAGE) {
      const detail = `expected a message of at most ${MAX_MESSAGE} bytes, got ${bytes.length}`
      throw new ProtocolError('too_big', detail)
    }
    if (isTransient) this.#outbox.push({ bytes, slot: `${this.name} ${from}`, isLossy: true })
    else this.#outbox.push({ bytes, slot: this.#slot })
    if (offset === undefined) return undefined
    this.#offset = offset
    if (this.#history) this.#archive.add(this.#history, text)
    return offset
  }

  /** A message as its followers see it. Without an offset: the present state, or transient. */
  textOf(data: unknown, offset?: number, from?: string): string {
    const topic = this.#shown
    const at = timestamp()
    return JSON.stringify({ type: 'message', topic, offset, from, at, data } satisfies TopicMessage)
  }

  /**
   * What a reader that has all up to `since` is told, and the messages that it missed: all of them, or,
   * if some are no longer kept or do not fit into so many bytes, the newest, and `recovered` is false.
   */
  standing(since: Position | undefined, maxBytes: number): [Standing, messages: string[]] {
    const { epoch, offset } = this
    const missed = this.#missedSince(since)
    const messages = this.#history?.newest(missed ?? Number.POSITIVE_INFINITY, maxBytes) ?? []
    const recovered = messages.length === missed
    return [{ epoch, offset, recovered, ...this.#presence?.present }, messages]
  }

  /** Lets go of what it has kept. */
  close(): void {
    this.#presence?.clear()
    if (this.#history) this.#archive.forget(this.#history)
  }

  // Undefined if nobody can know.
  #missedSince(since: Position | undefined): number | undefined {
    if (since?.epoch !== this.epoch) return undefined
    return since.offset <= this.#offset ? this.#offset - since.offset : undefined
  }

  // Of a task and of the figures only the newest state counts.
  get #slot(): string | undefined {
    return this.kind === 'task' || this.kind === 'stats' ? this.name : undefined
  }
}

function frameOf(message: ServerMessage) {
  return { bytes: textFrame(JSON.stringify(message)) }
}
