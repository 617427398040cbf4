// What the connections of a hub follow: the way from a subscription to its answer, after which nothing
// of the topic is missing and nothing comes twice.

import type { Connection } from './connection.ts'
import type { Identity } from './identity.ts'
import { topicFor } from './permission.ts'
import {
  answerText,
  type ClientMessage,
  ProtocolError,
  parseTopic,
  type TopicKind,
} from './protocol.ts'
import type { Subscription } from './topic.ts'
import type { Topics } from './topics.ts'

type Subscribe = Extract<ClientMessage, { type: 'subscribe' }>
type LookUp = (name: string, who: Identity) => Promise<unknown>

export interface SubscriptionOptions {
  /** Topics that one connection follows. */
  readonly maxTopics: number
  /** The present state of a topic, sent ahead of its changes. Undefined: there is no such topic. */
  readonly lookUps: Partial<Record<TopicKind, LookUp>>
}

const ENVELOPE = 16_384 // bytes of an answer at most, beside the messages in it

export class Subscriptions {
  readonly #topics: Topics
  readonly #options: SubscriptionOptions

  constructor(topics: Topics, options: SubscriptionOptions) {
    this.#topics = topics
    this.#options = options
  }

  async subscribe(connection: Connection, message: Subscribe): Promise<void> {
    const { kind, name } = parseTopic(message.topic)!
    const subscription = this.#subscriptionOf(connection, message.topic)
    const { topic } = subscription
    // The client may unsubscribe, or leave, while this is under way.
    const isCurrent = () => connection.subscriptions?.get(message.topic) === subscription
    const lookUp = this.#options.lookUps[kind]
    let state: unknown
    let offset: number
    try {
      // Where the bus has more of the topic than this server, that comes first.
      await this.#topics.catchUp(topic, message.since)
      // Neither a gap nor an old state: if the topic moved during the look-up, look again. Between the
      // last look and the answer nothing else runs.
      do {
        offset = topic.offset
        state = await lookUp?.(name, connection.identity)
        while (connection.writer.isLagging) await connection.writer.drained()
      } while (topic.offset !== offset)
      if (lookUp && state === undefined) {
        throw new ProtocolError('not_found', 'there is no such topic')
      }
    } catch (error) {
      if (isCurrent()) this.unsubscribe(connection, message.topic)
      throw error
    }
    // Many may have waited for a client that is gone: no answer is made for nobody.
    if (!connection.isOpen) return
    if (!isCurrent()) return this.#answerWithout(connection, subscription, message)
    this.#answer(connection, subscription, message)
    topic.begin(subscription)
    if (lookUp) connection.sendText(topic.textOf(state))
  }

  #answer(
    connection: Connection,
    { topic, after }: Subscription,
    { id, topic: name, since }: Subscribe,
  ): void {
    // What is on its way to one who follows already goes ahead of the answer, which has it, too.
    if (Number.isFinite(after)) topic.flush()
    connection.writer.forget(topic.name)
    connection.writer.flush() // what the kernel takes leaves more room
    const [standing, messages] = topic.standing(since, connection.writer.spare - ENVELOPE)
    connection.sendText(answerText(id, name, standing, messages))
  }

  // It has asked for nothing more of the topic meanwhile.
  #answerWithout(
    connection: Connection,
    { topic: { epoch, offset } }: Subscription,
    { id, topic: name }: Subscribe,
  ): void {
    connection.sendText(answerText(id, name, { epoch, offset, recovered: false }, []))
  }

  #subscriptionOf(connection: Connection, name: string): Subscription {
    const ownName = topicFor(connection.identity, name)
    connection.subscriptions ??= new Map()
    const { subscriptions } = connection
    const existing = subscriptions.get(name)
    if (existing) return existing
    const { maxTopics } = this.#options
    if (subscriptions.size >= maxTopics) {
      throw new ProtocolError('too_many_topics', `expected at most ${maxTopics} topics`)
    }
    const subscription = this.#topics.subscribe(connection, ownName)
    subscriptions.set(name, subscription)
    return subscription
  }

  /** Nothing of the topic goes out to it after this. */
  unsubscribe(connection: Connection, name: string): void {
    const subscription = connection.subscriptions?.get(name)
    if (!subscription) return
    connection.subscriptions?.delete(name)
    connection.writer.forget(subscription.topic.name)
    this.#topics.unsubscribe(subscription)
  }

  unsubscribeAll(connection: Connection): void {
    for (const name of connection.subscriptions?.keys() ?? []) this.unsubscribe(connection, name)
  }
}
