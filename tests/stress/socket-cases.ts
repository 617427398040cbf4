// What a WebSocket is fuzzed with: a handshake, and then messages and frames, most of them valid, of
// `meanwhile.v1` or of the echo. How they are written is in socket-bytes.ts, what is right as an answer
// in socket-answers.ts.

import fc from 'fast-check'
import { OPCODE } from '../frames.ts'
import { closing, frame } from './frames.ts'
import { often } from './http-cases.ts'
import { type Mutation, mutations } from './mutations.ts'
import { ROLES, TOKEN_KINDS, type TokenKind } from './world.ts'

export const MAX_TOPICS = 6
export const MAX_FRAME = 65_536

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

export interface Message {
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
export interface Form {
  /** Whether its bytes may be no UTF-8, which ends the connection. */
  readonly isRaw: boolean
  readonly pieces: number
  readonly hasPing: boolean
  readonly lengthBits: number
}

const text = (length: number) => Buffer.alloc(length, 'x')

/** What ends a connection, and with which code. */
export const WRONG = {
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
