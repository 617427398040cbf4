// What a WebSocket is fuzzed with: a handshake, and then messages and frames, most of them valid, of
// `meanwhile.v1` or of the echo. What is right as an answer is worked out here as well.

import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { isObject } from '../../lib/json.ts'
import { isName } from '../../lib/names.ts'
import { OPCODE } from '../frames.ts'
import { handshake } from '../handshake.ts'
import { closing, frame } from './frames.ts'
import { faultsOf, often, parsed } from './http-cases.ts'
import { type Mutation, mutate, mutations } from './mutations.ts'
import {
  GOOD_TOKENS,
  type Ids,
  ROLES,
  TOKEN_KINDS,
  TOKENS,
  type TokenKind,
  type World,
} from './world.ts'

export const MAX_TOPICS = 6
const MAX_FRAME = 65_536

export interface SocketCase {
  readonly isEcho: boolean
  readonly user: TokenKind
  readonly isGuest: boolean
  readonly way: 'header' | 'query' | 'subprotocol' | 'ticket'
  readonly items: readonly (Item | null)[]
  /** Of the bytes of all frames. */
  readonly mutations: readonly Mutation[]
  readonly cuts: readonly number[] | null
  /** Whether the frames come in the same packet as the handshake. */
  readonly isEager: boolean
  readonly end: 'close' | 'halfClose' | 'reset'
}

export type Item =
  | {
      readonly kind: 'message'
      readonly message: Message
      readonly edits: readonly Mutation[]
      readonly form: Form
    }
  | {
      readonly kind: 'text'
      readonly text: string
      readonly edits: readonly Mutation[]
      readonly form: Form
    }
  | { readonly kind: 'ping' | 'pong'; readonly length: number }
  | { readonly kind: 'wrong'; readonly what: keyof typeof WRONG }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }

interface Message {
  readonly type: unknown
  readonly id: 'own' | 'text' | 'none' | 'other'
  readonly otherId: unknown
  readonly topic: unknown
  readonly data: unknown
  readonly key: unknown
  readonly transient: unknown
  readonly since: unknown
}

/** How a message is put into frames. */
interface Form {
  /** Whether its bytes may be no UTF-8, which ends the connection. */
  readonly isRaw: boolean
  readonly pieces: number
  readonly hasPing: boolean
  readonly lengthBits: number
}

const text = (length: number) => Buffer.alloc(length, 'x')

/** What ends a connection, and with which code. */
const WRONG = {
  unmasked: [1002, frame(OPCODE.text, text(3), { isMasked: false })],
  reserved1: [1002, frame(OPCODE.text, text(3), { reserved: 4 })],
  reserved2: [1002, frame(OPCODE.text, text(3), { reserved: 2 })],
  reserved3: [1002, frame(OPCODE.text, text(3), { reserved: 1 })],
  opcode3: [1002, frame(3, text(3))],
  opcode11: [1002, frame(11, text(3))],
  continuation: [1002, frame(OPCODE.continuation, text(3))],
  interrupted: [
    1002,
    Buffer.concat([frame(OPCODE.text, text(3), { isFinal: false }), frame(OPCODE.text, text(3))]),
  ],
  longPing: [1002, frame(OPCODE.ping, text(126))],
  partOfPing: [1002, frame(OPCODE.ping, text(3), { isFinal: false })],
  closeOfOneByte: [1002, frame(OPCODE.close, text(1))],
  close999: [1002, frame(OPCODE.close, closing(999))],
  close1005: [1002, frame(OPCODE.close, closing(1005))],
  close2999: [1002, frame(OPCODE.close, closing(2999))],
  close65535: [1002, frame(OPCODE.close, closing(65_535))],
  closeNoUtf8: [1007, frame(OPCODE.close, closing(1000, Buffer.from([0xff])))],
  noUtf8: [1007, frame(OPCODE.text, Buffer.from([0x61, 0xed, 0xa0, 0x80]))],
  cutUtf8: [1007, frame(OPCODE.text, Buffer.from([0xe2, 0x82]))],
  binary: [1003, frame(OPCODE.binary, text(3))],
  noBinary: [1003, frame(OPCODE.binary, text(0))],
  announced: [1009, frame(OPCODE.text, text(0), { length: 65_537n })],
  announcedMost: [1009, frame(OPCODE.text, text(0), { length: 2n ** 64n - 1n })],
  announced53: [1009, frame(OPCODE.text, text(0), { length: 2n ** 53n })],
  tooLong: [1009, frame(OPCODE.text, text(MAX_FRAME + 1))],
  tooLongInAll: [
    1009,
    Buffer.concat([
      frame(OPCODE.text, text(40_000), { isFinal: false }),
      frame(OPCODE.continuation, text(30_000)),
    ]),
  ],
  fragments: [
    1008,
    Buffer.concat([
      frame(OPCODE.text, text(1), { isFinal: false }),
      ...Array.from({ length: 64 }, () => frame(OPCODE.continuation, text(0), { isFinal: false })),
    ]),
  ],
  request: [1002, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
} as const

// What is sent.

const ROOMS = ['room:lobby', 'room:a', 'room:b', 'room:c', 'room:d', 'room:e', 'room:f', 'room:g']

const topic = fc.oneof(
  { arbitrary: fc.constantFrom<unknown>(...ROOMS, 'room:lobby', 'room:lobby'), weight: 10 },
  {
    arbitrary: fc.constantFrom<unknown>(
      ...['tasks', 'stats', 'user:alice', 'user:bob', ...ROLES.map((role) => `task:${role}`)],
    ),
    weight: 6,
  },
  {
    arbitrary: fc.oneof(
      fc.constantFrom<unknown>(
        ...[
          'room:',
          'room:../x',
          'room:a b',
          'room:\u{1f600}',
          'tasks:alice',
          'x:y',
          '',
          '__proto__',
        ],
        ...['task:__proto__', 'user:constructor', null, 1, [], {}, ['room:a'], undefined],
      ),
      fc.integer({ min: 63, max: 66 }).map((length) => `room:${'x'.repeat(length)}`),
      fc.string({ maxLength: 10 }).map((name) => `room:${name}`),
    ),
    weight: 2,
  },
)

const data = fc.oneof(
  { arbitrary: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<unknown>, weight: 50 },
  {
    arbitrary: fc.constantFrom<unknown>(
      ...[
        undefined,
        null,
        0,
        '',
        '\u2028',
        '<img onerror=x>',
        { toJSON: 1 },
        JSON.parse('{"__proto__":1}'),
      ],
    ),
    weight: 10,
  },
  {
    arbitrary: fc.integer({ min: 1_000, max: 70_000 }).map((length) => 'x'.repeat(length)),
    weight: 1,
  },
)

const message: fc.Arbitrary<Message> = fc.record({
  type: often(
    fc.constantFrom<unknown>(
      ...[
        'subscribe',
        'subscribe',
        'subscribe',
        'publish',
        'publish',
        'publish',
        'unsubscribe',
        'ping',
      ],
    ),
    fc.constantFrom<unknown>(
      '__proto__',
      'constructor',
      'toString',
      '',
      'message',
      1,
      null,
      undefined,
    ),
    15,
  ),
  id: often(
    fc.constantFrom<Message['id']>('own', 'own', 'text'),
    fc.constantFrom<Message['id']>('none', 'other'),
    20,
  ),
  otherId: fc.constantFrom<unknown>(
    0,
    -1,
    1.5,
    2 ** 53,
    '',
    'x'.repeat(64),
    'x'.repeat(65),
    null,
    {},
  ),
  topic,
  data,
  key: often(
    fc.constant<unknown>(undefined),
    fc.constantFrom<unknown>('k1', 'k2', 'k3', '', 'x'.repeat(64), 'x'.repeat(65), 1, '\n', null),
    9,
  ),
  transient: often(
    fc.constant<unknown>(undefined),
    fc.constantFrom<unknown>(true, false, 1, null),
    9,
  ),
  since: often(
    fc.constant<unknown>(undefined),
    fc.constantFrom<unknown>(
      { epoch: 'x', offset: 0 },
      { epoch: '', offset: -1 },
      { epoch: 'x', offset: 2 ** 53 },
      { epoch: 'x', offset: 0.5 },
      { epoch: 1, offset: 1 },
      { offset: 1 },
      [],
      null,
      1,
    ),
    9,
  ),
})

const form: fc.Arbitrary<Form> = fc.record({
  isRaw: often(fc.constant(false), fc.constant(true), 8),
  pieces: often(fc.constant(1), often(fc.integer({ min: 2, max: 6 }), fc.constant(64), 10), 5),
  hasPing: fc.boolean(),
  lengthBits: often(fc.constant(0), fc.constantFrom(16, 64), 10),
})

const edits = fc.oneof(
  { arbitrary: fc.constant<Mutation[]>([]), weight: 2 },
  { arbitrary: mutations(2), weight: 1 },
)

const ODD = [
  ...[
    '',
    ' ',
    '{}',
    '[]',
    'null',
    '1',
    '"x"',
    '{"type":1}',
    '{"type":null}',
    '{"type":"ping"}',
    'hi',
  ],
  ...['{"type":"ping","type":"x"}', '{"__proto__":{"type":"ping"}}', '{"type":"ping","a":1e999}'],
  ...[30, 31, 32, 5_000].map((n) => `{"type":"ping","a":${'['.repeat(n)}${']'.repeat(n)}}`),
]

function item(isLethal: boolean): fc.Arbitrary<Item> {
  const lethal = [
    {
      arbitrary: fc.record({
        kind: fc.constant('wrong' as const),
        what: fc.constantFrom(...(Object.keys(WRONG) as (keyof typeof WRONG)[])),
      }),
      weight: 3,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant('close' as const),
        code: fc.constantFrom(1000, 1001, 1011, 3000, 4000, 4999),
        reason: fc.string({ maxLength: 20 }),
      }),
      weight: 1,
    },
  ]
  return fc.oneof(
    {
      arbitrary: fc.record({ kind: fc.constant('message' as const), message, edits, form }),
      weight: 40,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant('text' as const),
        text: fc.oneof(fc.constantFrom(...ODD), fc.string({ maxLength: 30 })),
        edits,
        form,
      }),
      weight: 5,
    },
    {
      arbitrary: fc.record({
        kind: fc.constantFrom('ping' as const, 'pong' as const),
        length: fc.oneof(fc.nat(10), fc.constant(125)),
      }),
      weight: 4,
    },
    ...(isLethal ? lethal : []),
  )
}

/** Connections with so many items, of which one in twenty is missing. */
export function socketCase(count: number): fc.Arbitrary<SocketCase> {
  const itemsOf = (one: fc.Arbitrary<Item>) =>
    fc.array(fc.option(one, { freq: 20 }), { minLength: count, maxLength: count })
  return fc.record({
    isEcho: fc.nat(7).map((n) => n === 7),
    user: often(
      fc.constantFrom<TokenKind>('alice', 'alice', 'bob', 'admin'),
      fc.constantFrom(...TOKEN_KINDS),
      15,
    ),
    isGuest: fc.nat(5).map((n) => n === 5),
    way: fc.constantFrom('header', 'query', 'subprotocol', 'ticket'),
    items: fc.oneof(
      { arbitrary: itemsOf(item(false)), weight: 2 },
      { arbitrary: itemsOf(item(true)), weight: 1 },
    ),
    mutations: fc.oneof(
      { arbitrary: fc.constant<Mutation[]>([]), weight: 3 },
      { arbitrary: mutations(3), weight: 1 },
    ),
    cuts: often<SocketCase['cuts']>(
      fc.constant([]),
      fc.oneof(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 8 }), fc.constant(null)),
      4,
    ),
    isEager: fc.boolean(),
    end: fc.constantFrom('close', 'halfClose', 'reset'),
  })
}

// How it is written.

export function handshakeOf(one: SocketCase, { isOpen }: World, ticket: string): string {
  const { isEcho, user, isGuest, way } = one
  const token = TOKENS[user]
  let query = isGuest ? '' : `user=${userOf(user)}`
  if (!isOpen && way === 'query') query = `token=${token}`
  if (!isOpen && way === 'ticket') query = `ticket=${ticket}`
  const offered = isEcho ? [] : ['meanwhile.v1']
  if (!isOpen && way === 'subprotocol') offered.push(`bearer.${token}`)
  return handshake(
    {
      ...(offered.length > 0 && { 'Sec-WebSocket-Protocol': offered.join(', ') }),
      ...(!isOpen && way === 'header' && { Authorization: `Bearer ${token}` }),
    },
    `GET /ws?${query} HTTP/1.1`,
  )
}

/** The status that the handshake has to have. */
export function statusOf({ isEcho, user, way }: SocketCase, { isOpen }: World): number {
  if (isOpen || way === 'ticket') return 101
  if (isEcho && way === 'subprotocol') return 400
  return GOOD_TOKENS.includes(user) ? 101 : 401
}

function userOf(user: TokenKind): string {
  return user === 'admin' ? 'root' : user
}

export function bytesOfCase(one: SocketCase, ids: Ids): Buffer {
  const frames = one.items.map((item, i) => (item ? bytesOf(item, i, ids) : Buffer.alloc(0)))
  return mutate(Buffer.concat(frames), one.mutations)
}

function bytesOf(item: Item, index: number, ids: Ids): Buffer {
  switch (item.kind) {
    case 'message':
    case 'text':
      return inFrames(contentOf(item, index, ids), item.form)
    case 'ping':
    case 'pong':
      return frame(OPCODE[item.kind], pingOf(item.length, index))
    case 'wrong':
      return WRONG[item.what][1]
    case 'close':
      return frame(OPCODE.close, closing(item.code, Buffer.from(item.reason)))
  }
}

function pingOf(length: number, index: number): Buffer {
  return Buffer.alloc(length, String(index))
}

function inFrames(content: Buffer, { pieces, hasPing, lengthBits }: Form): Buffer {
  const size = sizeOf(content, pieces)
  const parts = Array.from({ length: pieces }, (_, i) => {
    const payload = content.subarray(i * size, (i + 1) * size)
    const isFinal = i === pieces - 1
    const part = frame(i === 0 ? OPCODE.text : OPCODE.continuation, payload, {
      isFinal,
      lengthBits,
    })
    return hasPing && !isFinal && i === 0
      ? [part, frame(OPCODE.ping, Buffer.from('between'))]
      : [part]
  })
  return Buffer.concat(parts.flat())
}

function sizeOf(content: Buffer, pieces: number): number {
  return Math.ceil(content.length / pieces)
}

function contentOf(item: Extract<Item, { edits: unknown }>, index: number, ids: Ids): Buffer {
  const content = item.kind === 'text' ? item.text : jsonOf(item.message, index, ids)
  const bytes = mutate(Buffer.from(content), item.edits)
  return item.form.isRaw ? bytes : Buffer.from(bytes.toString())
}

function jsonOf({ id, otherId, topic, ...rest }: Message, index: number, ids: Ids): string {
  const [, role] = /^task:(.*)$/.exec(String(topic)) ?? []
  const known = role !== undefined && Object.hasOwn(ids, role) ? ids[role as keyof Ids] : undefined
  const all = {
    ...rest,
    topic: known === undefined ? topic : `task:${known}`,
    id: { own: index, text: `m${index}`, none: undefined, other: otherId }[id],
  }
  return JSON.stringify(all)
}

// What is right.

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
