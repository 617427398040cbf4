// HTTP requests to fuzz with: of every route, most of them valid, in a pipeline or alone. How they are
// written is in http-bytes.ts, what is right as an answer in http-answers.ts.

import fc from 'fast-check'
import { STATES } from '../../lib/task.ts'
import { KEY } from '../handshake.ts'
import { HOSTS, type Host, PLACES, type Place } from './http-answers.ts'
import { type Mutation, mutations } from './mutations.ts'
import { ROLES, TOKEN_KINDS, type TokenKind } from './world.ts'

export interface HttpCase {
  readonly requests: readonly HttpRequest[]
  /** Of all the bytes. */
  readonly mutations: readonly Mutation[]
  /** From `at` on (of 10,000) it is another request, from the same part on. */
  readonly splice: { readonly other: HttpRequest; readonly at: number } | null
  /** Where the bytes are cut into writes, of 10,000. `null`: after each of the first 200. */
  readonly cuts: readonly number[] | null
  readonly end: 'stay' | 'halfClose' | 'reset' | 'lateReset'
}

export interface HttpRequest {
  readonly method: string
  readonly path: Path
  readonly query: readonly (readonly [name: string, value: string])[]
  readonly version: string
  readonly hosts: readonly Host[]
  readonly origin: 'none' | 'same' | 'foreign' | 'null' | 'cross-site'
  readonly tokens: readonly { readonly kind: TokenKind; readonly isInQuery: boolean }[]
  readonly body: Body | null
  readonly key: string | null
  readonly expect: string | null
  readonly handshake: Handshake | null
  readonly isLast: boolean
  readonly others: readonly string[]
}

export interface Body {
  readonly text: string
  readonly edits: readonly Mutation[]
  readonly type: string | null
  readonly coding: string | null
  /** Sizes of chunks; `null`: with Content-Length. */
  readonly chunks: readonly number[] | null
}

export interface Handshake {
  readonly upgrade: string
  readonly version: string | null
  readonly key: string
  readonly protocol: string | null
}

export interface Path {
  readonly place: Place
  /** What stands for the parameter, percent-encoded where it must be. */
  readonly param: string
  /** How it is spelled: plainly, with a slash at the end, or with one letter percent-encoded. */
  readonly spelling: 'plain' | 'slash' | 'encoded'
}

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'TRACE', 'PROPFIND']

const hosts: fc.Arbitrary<Host[]> = fc.oneof(
  { arbitrary: fc.constant<Host[]>(['localhost']), weight: 30 },
  {
    arbitrary: fc.array(fc.constantFrom(...(Object.keys(HOSTS) as Host[])), { maxLength: 2 }),
    weight: 4,
  },
)

const tokens = fc.oneof(
  {
    arbitrary: fc.array(
      fc.record({
        kind: fc.constantFrom<TokenKind>('alice', 'alice', 'alice', 'bob', 'admin'),
        isInQuery: fc.boolean(),
      }),
      { minLength: 1, maxLength: 1 },
    ),
    weight: 10,
  },
  {
    arbitrary: fc.array(
      fc.record({
        kind: fc.constantFrom(...TOKEN_KINDS),
        isInQuery: fc.boolean(),
      }),
      { maxLength: 2 },
    ),
    weight: 3,
  },
)

const param = fc.oneof(
  { arbitrary: fc.constantFrom<string>(...ROLES, 'alice', 'bob'), weight: 8 },
  {
    arbitrary: fc.oneof(
      fc.constantFrom('__proto__', 'constructor', '..', '%2e%2e', '%00', '%', '%c0%ae', 'a%2Fb'),
      fc.string({ minLength: 1, maxLength: 70 }).map(encodeURIComponent),
      fc.integer({ min: 60, max: 5_000 }).map((length) => 'x'.repeat(length)),
    ),
    weight: 2,
  },
)

// Nothing is there, though some parsers of URLs would throw, or see a host.
const ODD_TARGETS = [
  ...['//', '///', '//[', '//:80', '//evil.example/x', '/\\evil.example', '/%', '*'],
  'http://localhost/tasks',
]

const path: fc.Arbitrary<Path> = fc.record({
  place: often(
    fc.constantFrom<Place>(
      ...Object.keys(PLACES),
      ...[
        '/process',
        '/process',
        '/process',
        '/process',
        '/process',
        '/notify/:',
        '/notify/:',
        '/notify/:',
        '/tasks',
        '/tasks/:',
      ],
      ...['/tasks/:', '/tasks/:/retry', '/tasks/:/result', '/none', '/tasks/:/none'],
    ),
    fc.constantFrom<Place>(...ODD_TARGETS),
    15,
  ),
  param,
  spelling: often('plain', fc.constantFrom('slash', 'encoded'), 8),
})

const value = fc.oneof(
  fc.constantFrom('true', 'false', '', '0', '1', '2', '3', '100', '101', '-1', '1e3', '%', '%00'),
  fc.constantFrom(...STATES, 'write-log', 'alice', 'a b', '\xe4', '__proto__'),
  fc.string({ maxLength: 5 }),
)

const query = fc.oneof(
  { arbitrary: fc.constant<[string, string][]>([]), weight: 3 },
  {
    arbitrary: fc.array(
      fc.tuple(
        fc.constantFrom('user', 'fail', 'wait', 'thread', 'state', 'name', 'limit', 'after', 'x'),
        value,
      ),
      { maxLength: 3 },
    ),
    weight: 2,
  },
)

const DEEP = [10, 31, 32, 33, 2_000].flatMap((levels) => [
  `${'['.repeat(levels)}${']'.repeat(levels)}`,
  `{"a":${'['.repeat(levels - 1)}1e999${']'.repeat(levels - 1)}}`,
  `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`,
])

const view = fc.record(
  {
    width: fc.oneof(fc.integer({ min: 10, max: 40 }), fc.constantFrom(0, 2_001, 16.5, 1e300)),
    height: fc.oneof(fc.integer({ min: 16, max: 40 }), fc.constantFrom(-1, 2_001, 1e300)),
    x: fc.double({ min: -5, max: 5, noNaN: true }),
    zoom: fc.constantFrom(1, 0, -1, 1e15, 1e16, 5e-324),
    iterations: fc.integer({ min: 0, max: 60 }),
  },
  { requiredKeys: ['width', 'height', 'iterations'] },
)

const jsonText = fc.oneof(
  {
    arbitrary: fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 3 }), {
      maxKeys: 4,
    }),
    weight: 8,
  },
  { arbitrary: fc.record({ message: fc.string({ maxLength: 40 }) }), weight: 3 },
  { arbitrary: view, weight: 5 },
  { arbitrary: fc.jsonValue(), weight: 1 },
)

const body: fc.Arbitrary<Body> = fc.record({
  text: fc.oneof(
    { arbitrary: jsonText.map((json) => JSON.stringify(json)), weight: 12 },
    {
      arbitrary: fc.constantFrom(
        ...['', '{', 'null', '[]', '"x"', '1', 'nul', '{"a":1,}', '{"a":1,"a":2}', '\ufeff{}'],
        ...['{"a":1e999}', '{"a":9007199254740993}', '{"a":"\\ud800"}', '{"__proto__":{"x":1}}'],
        ...['{"message":1}', '{"message":null}', ' {} ', '\t\r\n{}', ...DEEP],
      ),
      weight: 3,
    },
    {
      arbitrary: fc
        .integer({ min: 3_900, max: 9_000 })
        .map((n) => `{"message":"${'x'.repeat(n)}"}`),
      weight: 1,
    },
  ),
  edits: fc.oneof(
    { arbitrary: fc.constant([]), weight: 1 },
    { arbitrary: mutations(2), weight: 2 },
  ),
  type: often<string | null>(
    'application/json',
    fc.constantFrom(
      ...[
        'application/json; charset=utf-8',
        'APPLICATION/JSON;charset="UTF-8"',
        'text/plain',
        null,
      ],
      ...[
        'application/json; charset=utf-16',
        'application/jsonp',
        'multipart/form-data; boundary=x',
      ],
    ),
    12,
  ),
  coding: often<string | null>(null, fc.constantFrom('gzip', 'br', 'identity'), 25),
  chunks: often<number[] | null>(
    null,
    fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }),
    3,
  ),
})

const INNOCUOUS = [
  ...['Accept: */*', 'X-Request-Id: a.b:c@d-1', 'X-Request-Id: \xe4', 'Cookie: a=b; c', 'X: \xff'],
  ...[
    'Range: bytes=0-,0-',
    'If-None-Match: *',
    'X-Forwarded-For: 1.2.3.4',
    '__proto__: x',
    'TE: x',
  ],
  ...['constructor: x', 'Forwarded: for=x', 'Accept-Encoding: gzip'],
]

const handshake: fc.Arbitrary<Handshake> = fc.record({
  upgrade: often('websocket', fc.constantFrom('WebSocket', 'websocket, h2c'), 12),
  version: often<string | null>('13', fc.constantFrom('8', '12', '13, 13', null), 12),
  key: often(KEY, fc.constantFrom('', 'short', `${KEY}=`), 12),
  protocol: often<string | null>(
    null,
    fc.constantFrom('meanwhile.v1', 'meanwhile.v1, bearer.x', 'chat', 'meanwhile.v1, a b', 'a, a'),
    2,
  ),
})

const anyRequest: fc.Arbitrary<HttpRequest> = fc.record({
  method: fc.constantFrom(...METHODS),
  path,
  query,
  version: often('1.1', fc.constantFrom('1.0', '2.0', '0.9'), 40),
  hosts,
  origin: often('none', fc.constantFrom('same', 'same', 'foreign', 'null', 'cross-site'), 6),
  tokens,
  body: fc.option(body, { freq: 4 }),
  key: often<string | null>(
    null,
    fc.constantFrom('one', 'two', 'three', 'x'.repeat(255), 'x'.repeat(256), 'a b', '\xe4'),
    8,
  ),
  expect: often<string | null>(null, fc.constantFrom('100-continue', '100-continue', 'foo'), 15),
  handshake,
  isLast: fc.boolean(),
  others: fc.array(fc.constantFrom(...INNOCUOUS), { maxLength: 3 }),
})

// Nine in ten with a method that the place has, since what is behind it is what the case is about.
const request = fc
  .record({ request: anyRequest, isAny: often(false, fc.constant(true), 10), pick: fc.nat(9) })
  .map(({ request, isAny, pick }): HttpRequest => {
    const { place } = request.path
    const methods = Object.keys(PLACES[place] ?? { GET: 0 })
    const method = isAny ? request.method : methods[pick % methods.length]!
    const isBodiless = (method === 'GET' || method === 'DELETE') && pick > 0
    const isHandshake = place === '/ws' ? pick > 2 : isAny && pick === 0
    return {
      ...request,
      method,
      body: isBodiless ? null : request.body,
      handshake: isHandshake ? request.handshake : null,
    }
  })

export const httpCase: fc.Arbitrary<HttpCase> = fc.record({
  requests: fc.oneof(
    { arbitrary: fc.array(request, { minLength: 1, maxLength: 1 }), weight: 2 },
    { arbitrary: fc.array(request, { minLength: 2, maxLength: 5 }), weight: 1 },
  ),
  mutations: fc.oneof(
    { arbitrary: fc.constant([]), weight: 1 },
    { arbitrary: mutations(3), weight: 1 },
  ),
  splice: often<HttpCase['splice']>(null, fc.record({ other: request, at: fc.nat(10_000) }), 12),
  cuts: often<HttpCase['cuts']>(
    [],
    fc.oneof(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 6 }), fc.constant(null)),
    4,
  ),
  end: often('stay', fc.constantFrom('halfClose', 'reset', 'lateReset'), 5),
})

/** The first in all but one of so many cases. */
export function often<T>(
  usual: T | fc.Arbitrary<T>,
  other: fc.Arbitrary<T>,
  freq: number,
): fc.Arbitrary<T> {
  const arbitrary = usual instanceof fc.Arbitrary ? usual : fc.constant(usual)
  return fc.oneof({ arbitrary, weight: freq - 1 }, { arbitrary: other, weight: 1 })
}
