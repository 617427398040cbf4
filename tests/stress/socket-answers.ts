// What is right as an answer on a WebSocket, worked out from what the README says: a model of the
// server that hears the same.

import { isUtf8 } from 'node:buffer'
import { isObject } from '../../lib/json.ts'
import { isName } from '../../lib/names.ts'
import { faultsOf, parsed } from './http-answers.ts'
import { contentOf, pingOf, sizeOf, userOf } from './socket-bytes.ts'
import {
  type Form,
  type Item,
  MAX_FRAME,
  MAX_TOPICS,
  type SocketCase,
  WRONG,
} from './socket-cases.ts'
import { GOOD_TOKENS, type Ids, type TokenKind, type World } from './world.ts'

/** The status that the handshake has to have. */
export function statusOf({ isEcho, user, way }: SocketCase, { isOpen }: World): number {
  if (isOpen || way === 'ticket') return 101
  if (isEcho && way === 'subprotocol') return 400
  return GOOD_TOKENS.includes(user) ? 101 : 401
}

export interface Expected {
  /** Of requests and of what is no message, by their ids (as JSON). `undefined`: without one. */
  readonly answers: readonly { id: string | undefined; codes: readonly string[]; message: Asked }[]
  readonly pongs: number
  readonly echoes: readonly string[]
  /** What answers to control frames say. */
  readonly controlPongs: readonly string[]
  /** The code with which the server closes; undefined: it does not. */
  readonly closes: number | undefined
  /** Of these it counts how many there are. */
  readonly counted: number
}

type Asked = Readonly<Record<string, unknown>>

/** Undefined where the bytes are not what was asked for. */
export function expectedOf(one: SocketCase, world: World): Expected | undefined {
  if (one.mutations.length > 0) return undefined
  const model = new Model(one, world)
  one.items.forEach((item, i) => {
    if (item && model.closes === undefined) model.hear(item, i)
  })
  return model
}

class Model implements Expected {
  readonly answers: { id: string | undefined; codes: string[]; message: Asked }[] = []
  readonly echoes: string[] = []
  readonly controlPongs: string[] = []
  pongs = 0
  counted = 0
  closes: number | undefined
  readonly #case: SocketCase
  readonly #world: World
  /** Topics that are followed for sure, and those that may be. */
  readonly #sure = new Set<string>()
  readonly #maybe = new Set<string>()

  constructor(one: SocketCase, world: World) {
    this.#case = one
    this.#world = world
  }

  hear(item: Item, index: number): void {
    switch (item.kind) {
      case 'message':
      case 'text':
        return this.#hearText(contentOf(item, index, this.#world.ids), item.form)
      case 'ping':
        this.controlPongs.push(pingOf(item.length, index).toString())
        this.counted++
        return
      case 'pong':
        this.counted++
        return
      case 'wrong':
        this.closes = WRONG[item.what][0]
        return
      case 'close':
        this.closes = item.code
    }
  }

  #hearText(content: Buffer, { pieces, hasPing }: Form): void {
    if (hasPing && pieces > 1 && sizeOf(content, pieces) <= MAX_FRAME) {
      this.controlPongs.push('between')
      this.counted++
    }
    if (content.length > MAX_FRAME) this.closes = 1009
    else if (!isUtf8(content)) this.closes = 1007
    else {
      this.counted++
      if (this.#case.isEcho) this.echoes.push(`You said: ${content}`)
      else this.#hearMessage(content.toString())
    }
  }

  #hearMessage(text: string): void {
    const value = parsed(text)
    if (!isObject(value) || typeof value.type !== 'string') {
      return this.#answer(undefined, ['bad_message'], {})
    }
    const id = isId(value.id) ? JSON.stringify(value.id) : undefined
    const codes = this.#codesFor(value)
    if (codes.includes('pong')) this.pongs++
    else this.#answer(id, codes, value)
  }

  #answer(id: string | undefined, codes: string[], message: Asked): void {
    this.answers.push({ id, codes, message })
  }

  #codesFor(message: Asked): string[] {
    const { type, id, topic, since, data, key, transient } = message
    if (faultsOf(message).length > 0) return ['bad_message']
    if (type === 'ping') return ['pong']
    if (type !== 'subscribe' && type !== 'unsubscribe' && type !== 'publish')
      return ['unknown_type']
    if (!isId(id)) return ['bad_message']
    if (typeof topic !== 'string' || !isTopic(topic)) return ['bad_topic']
    if (type === 'unsubscribe') {
      this.#sure.delete(topic)
      this.#maybe.delete(topic)
      return ['ok']
    }
    if (type === 'publish') {
      const isKey = key === undefined || (typeof key === 'string' && /^.{1,64}$/s.test(key))
      const isFlag = transient === undefined || typeof transient === 'boolean'
      if (data === undefined || !isKey || !isFlag) return ['bad_message']
      if (!topic.startsWith('room:')) return ['forbidden']
      // What is around it takes some room, and a key may be known already.
      const bytes = Buffer.byteLength(JSON.stringify(data))
      if (bytes < 66_000) return ['ok']
      return ['ok', 'too_big']
    }
    const isPlace =
      isObject(since) && typeof since.epoch === 'string' && Number.isSafeInteger(since.offset)
    if (since !== undefined && !isPlace) return ['bad_message']
    return this.#subscribe(topic)
  }

  #subscribe(topic: string): string[] {
    const { isOpen, ids } = this.#world
    const { user, isGuest, way } = this.#case
    const [, kind = topic, name = ''] = /^(room|user|task):(.*)$/.exec(topic) ?? []
    const good = isOpen || way !== 'ticket' ? user : goodOf(user)
    const own = isOpen && isGuest ? undefined : userOf(good)
    const isAdmin = isOpen || own === 'root'
    if ((kind === 'user' && name !== own) || (kind === 'stats' && !isAdmin)) return ['forbidden']
    if (this.#sure.has(topic)) return ['ok']
    if (this.#sure.size >= MAX_TOPICS && !this.#maybe.has(topic)) return ['too_many_topics']
    const isThere = kind !== 'task' || isSeen(name, ids, own, isAdmin)
    const mayBeTooMany = this.#maybe.size >= MAX_TOPICS
    this.#maybe.add(topic)
    if (isThere && !mayBeTooMany) this.#sure.add(topic)
    return [isThere ? 'ok' : 'not_found', ...(mayBeTooMany ? ['too_many_topics'] : [])]
  }
}

/** Whom a ticket is for: only a good token gets one. */
export function goodOf(user: TokenKind): TokenKind {
  return GOOD_TOKENS.includes(user) ? user : 'alice'
}

function isSeen(id: string, ids: Ids, user: string | undefined, isAdmin: boolean): boolean {
  if (id === ids.FOREIGN) return isAdmin || user === 'bob'
  return (id === ids.DONE || id === ids.WAITING) && (isAdmin || user === 'alice')
}

function isId(id: unknown): boolean {
  return Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64)
}

function isTopic(topic: string): boolean {
  const [, , name = ''] = /^(room|user|task):(.*)$/s.exec(topic) ?? []
  return topic === 'tasks' || topic === 'stats' || isName(name)
}
