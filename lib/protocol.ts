// The language of `meanwhile.v1`: what a client may send, what the server sends, and how a frame
// becomes a message. One JSON object a frame, told apart by `type`; `id` pairs an answer with its
// request within one connection.

import { checkJson, isObject, type JsonError } from './json.ts'
import { isName } from './names.ts'

export const SUBPROTOCOL = 'meanwhile.v1'

/** The subprotocols that a client offers, as the header has them. */
export function offeredBy(header: string | undefined): string[] {
  return header?.split(',').map((name) => name.trim()) ?? []
}

/** Bytes of a client's frame, at most. */
export const MAX_FRAME = 65_536

export type RequestId = number | string

export type ClientMessage =
  | { type: 'subscribe'; id: RequestId; topic: string; since?: Position }
  | { type: 'unsubscribe'; id: RequestId; topic: string }
  | ({ type: 'publish'; id: RequestId; topic: string; data: unknown } & PublishOptions)
  | { type: 'ping' }

export interface PublishOptions {
  /** The client's own name for this message, the same when it is sent again. */
  readonly key?: string
  /** Not kept: only those who follow at the moment get it. */
  readonly transient?: boolean
}

/** A place in a topic: each making of a topic has its own `epoch`, offsets count from 1 in it. */
export interface Position {
  readonly epoch: string
  readonly offset: number
}

export type ServerMessage =
  | ({ type: 'ok'; id: RequestId; topic: string; messages: TopicMessage[] } & Standing)
  | { type: 'ok'; id: RequestId; offset?: number | undefined }
  | TopicMessage
  | ({ type: 'presence'; topic: string } & PresenceChange)
  | { type: 'pong' }
  | { type: 'error'; id?: RequestId | undefined; code: ErrorCode; detail: string }
  | { type: 'goodbye'; reconnect: boolean; delay: number }

/** Where a topic stands: what a reader is told when it begins to follow. */
export interface Standing extends Position {
  /** Whether nothing is missing between its `since` and here. */
  readonly recovered: boolean
  /** Of a room: who is there, 100 names at most, and how many users in all. */
  readonly members?: readonly string[]
  readonly count?: number
}

/** Idempotent: who has joined may be known already. */
export interface PresenceChange {
  readonly joined: readonly string[]
  readonly left: readonly string[]
  /** Users that are there now. */
  readonly count: number
}

export interface TopicMessage {
  readonly type: 'message'
  readonly topic: string
  /** Absent on transient messages, and on the present state, which comes first on some topics. */
  readonly offset?: number | undefined
  readonly from?: string | undefined
  readonly at: string
  readonly data: unknown
}

export type ErrorCode =
  | 'bad_message'
  | 'unknown_type'
  | 'bad_topic'
  | 'forbidden'
  | 'not_found'
  | 'too_many_topics'
  | 'too_many_rooms'
  | 'rate_limited'
  | 'too_big'
  | 'unavailable'

/** The answer to a subscription, with messages that are JSON already. */
export function answerText(id: RequestId, topic: string, standing: Standing, messages: string[]) {
  const head = JSON.stringify({ type: 'ok', id, topic, ...standing })
  return `${head.slice(0, -1)},"messages":[${messages.join()}]}`
}

/** Close codes of RFC 6455, and our own: with 4000–4099 a client may come back, with 4100–4199 not. */
export const CLOSE = {
  goingAway: 1001,
  notText: 1003,
  rate: 1008,
  failure: 1011,
  slow: 4001,
  gap: 4002,
  expired: 4101,
} as const

/** A request that gets an error frame; the connection stays. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

type JsonObject = Readonly<Record<string, unknown>>

/** Reads a client's frame. Throws a `ProtocolError` for what is no object with a type. */
export function parseFrame(text: string): JsonObject {
  try {
    const frame: unknown = JSON.parse(text)
    if (isObject(frame) && typeof frame.type === 'string') return frame
  } catch {
    // What is no JSON and what is no frame get the same answer.
  }
  throw new ProtocolError('bad_message', 'expected a JSON object with a type')
}

/** The id to answer with, whatever else is wrong with the frame. */
export function idOf({ id }: JsonObject): RequestId | undefined {
  const isId = Number.isSafeInteger(id) || (typeof id === 'string' && id.length <= 64)
  return isId ? (id as RequestId) : undefined
}

/** Throws a `ProtocolError` for what is no message. */
export function parseMessage(frame: JsonObject): ClientMessage {
  check(frame)
  switch (frame.type) {
    case 'ping':
      return { type: 'ping' }
    case 'subscribe':
      return { type: 'subscribe', ...requestOf(frame), ...sinceOf(frame) }
    case 'unsubscribe':
      return { type: 'unsubscribe', ...requestOf(frame) }
    case 'publish':
      return { type: 'publish', ...requestOf(frame), data: dataOf(frame), ...optionsOf(frame) }
    default:
      throw new ProtocolError('unknown_type', 'expected subscribe, unsubscribe, publish or ping')
  }
}

export type TopicKind = 'room' | 'user' | 'task' | 'tasks' | 'stats'

/** Splits `room:NAME`, `user:NAME`, `task:ID`, `tasks` and `stats`. Anything else is undefined. */
export function parseTopic(topic: string): { kind: TopicKind; name: string } | undefined {
  if (topic === 'tasks' || topic === 'stats') return { kind: topic, name: '' }
  const [, kind, name = ''] = /^(room|user|task):(.*)$/s.exec(topic) ?? []
  return kind && isName(name) ? { kind: kind as TopicKind, name } : undefined
}

function check(frame: JsonObject): void {
  try {
    checkJson(frame)
  } catch (error) {
    throw new ProtocolError('bad_message', (error as JsonError).message)
  }
}

function requestOf(frame: JsonObject): { id: RequestId; topic: string } {
  const { topic } = frame
  const id = idOf(frame)
  if (id === undefined) {
    throw new ProtocolError('bad_message', 'expected id: an integer or a string of at most 64')
  }
  if (typeof topic === 'string' && parseTopic(topic)) return { id, topic }
  throw new ProtocolError('bad_topic', 'expected room:NAME, user:NAME, task:ID, tasks or stats')
}

function sinceOf({ since }: JsonObject): { since?: Position } {
  if (since === undefined) return {}
  if (isObject(since) && typeof since.epoch === 'string' && Number.isSafeInteger(since.offset)) {
    return { since: { epoch: since.epoch, offset: since.offset as number } }
  }
  throw new ProtocolError('bad_message', 'expected since: {epoch, offset}')
}

function optionsOf({ key, transient }: JsonObject): PublishOptions {
  if (key !== undefined && (typeof key !== 'string' || !/^.{1,64}$/s.test(key))) {
    throw new ProtocolError('bad_message', 'expected key: a string of 1 to 64')
  }
  if (transient !== undefined && typeof transient !== 'boolean') {
    throw new ProtocolError('bad_message', 'expected transient: true or false')
  }
  return { ...(key !== undefined && { key }), ...(transient && { transient }) }
}

function dataOf({ data }: JsonObject): unknown {
  if (data !== undefined) return data
  throw new ProtocolError('bad_message', 'expected data')
}
