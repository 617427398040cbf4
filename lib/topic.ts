// A topic: who follows it, and how many messages it has had. A room has a history and members, too.

import { randomUUID } from 'node:crypto'
import type { Publication } from './bus.ts'
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
  /** Something may have passed it by: it is asked to come back, after so many milliseconds. */
  comeBack(delay: number): void
}

export interface Subscription extends Following {
  readonly follower: Subscriber
  readonly topic: Topic
}

const MAX_MESSAGE = MAX_FRAME + 1_024 // bytes: what a client's frame can hold, and what is put around it

export class Topic {
  readonly name: string
  readonly kind: TopicKind
  readonly #outbox: Outbox
  readonly #shown: string
  readonly #archive: Archive
  readonly #history: History | undefined
  readonly #presence: Presence | undefined
  #epoch: string = randomUUID()
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

  /** Each making of a topic has its own, so that an offset of an old one never passes for a new one. */
  get epoch(): string {
    return this.#epoch
  }

  /** The offset of the newest message; 0 before the first. */
  get offset(): number {
    return this.#offset
  }

  get isFollowed(): boolean {
    return this.#outbox.followers.size > 0
  }

  *followers(): Generator<Subscriber> {
    for (const { follower } of this.#outbox.followers) yield follower as Subscriber
  }

  /** Nothing goes out to it before it has had its answer. */
  subscribe(follower: Subscriber): Subscription {
    const subscription = { follower, topic: this, after: Number.POSITIVE_INFINITY }
    this.#outbox.followers.add(subscription)
    this.join(follower.user)
    return subscription
  }

  /** A user is there by one more connection, here or on another server. */
  join(user: string): void {
    if (this.#presence?.join(user)) this.#changed = this.#outbox.reserve()
  }

  part(user: string): void {
    if (this.#presence?.leave(user)) this.#changed = this.#outbox.reserve()
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
    this.part(subscription.follower.user)
    if (!this.isFollowed) this.#presence?.clear()
    return true
  }

  /** Returns the message's offset, none if it is transient. Throws a `ProtocolError` if it is too big. */
  publish({ data, from, isTransient }: Publication): number | undefined {
    const offset = isTransient ? undefined : this.#offset + 1
    const text = messageText(this.#shown, data, offset, from)
    const bytes = textFrame(text)
    if (this.kind === 'room' || this.kind === 'user') checkMessage(bytes)
    if (isTransient) this.#outbox.push({ bytes, slot: `${this.name} ${from}`, isLossy: true })
    else this.#append(this.#offset + 1, text, bytes)
    return offset
  }

  /** The next message, which has its offset already. */
  append(offset: number, text: string): void {
    this.#append(offset, text, textFrame(text))
  }

  /** Begins anew at this position, with what was said before it. */
  load({ epoch, offset }: Position, messages: readonly string[]): void {
    this.#epoch = epoch
    this.#offset = offset
    if (!this.#history) return
    this.#archive.forget(this.#history)
    for (const text of messages) this.#archive.add(this.#history, text)
  }

  /**
   * Nobody can know whether something is missing here: no older position is good any more, and who
   * follows gets nothing more before it has come back.
   */
  interrupt(): void {
    this.#epoch = randomUUID()
    for (const following of this.#outbox.followers) following.after = Number.POSITIVE_INFINITY
  }

  /** The present state, as a message without an offset. */
  textOf(state: unknown): string {
    return messageText(this.#shown, state)
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

  #append(offset: number, text: string, bytes: Buffer): void {
    this.#outbox.push({ bytes, slot: this.#slot })
    this.#offset = offset
    if (this.#history) this.#archive.add(this.#history, text)
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

/** A message as those who follow the topic see it. Without an offset: the present state, or transient. */
export function messageText(topic: string, data: unknown, offset?: number, from?: string): string {
  const at = timestamp()
  return JSON.stringify({ type: 'message', topic, offset, from, at, data } satisfies TopicMessage)
}

/** Throws a `ProtocolError` if the message that would become of it is too big. */
export function checkPublication(topic: string, { data, from }: Publication): void {
  checkMessage(textFrame(messageText(topic, data, 0, from)))
}

/** Returns the bytes of the message's frame. Throws a `ProtocolError` if they are too many. */
export function checkMessage({ length }: Buffer): number {
  if (length <= MAX_MESSAGE) return length
  const detail = `expected a message of at most ${MAX_MESSAGE} bytes, got ${length}`
  throw new ProtocolError('too_big', detail)
}

function frameOf(message: ServerMessage) {
  return { bytes: textFrame(JSON.stringify(message)) }
}
