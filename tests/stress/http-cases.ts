// HTTP requests to fuzz with: of every route, most of them valid, in a pipeline or alone. What is right
// as an answer is worked out here as well, from what the README says, so that a wrong one is found too.

import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { VIEW } from '../../jobs/render.ts'
import { isObject } from '../../lib/json.ts'
import { isName } from '../../lib/names.ts'
import { STATES } from '../../lib/task.ts'
import { KEY } from '../handshake.ts'
import { type Mutation, mutate, mutations } from './mutations.ts'
import {
  GOOD_TOKENS,
  type Ids,
  ROLES,
  type Role,
  TOKEN_KINDS,
  TOKENS,
  type TokenKind,
  type World,
} from './world.ts'

export const MAX_BODY = 4_096 // bytes: what is too much has to be sent, too

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

interface Body {
  readonly text: string
  readonly edits: readonly Mutation[]
  readonly type: string | null
  readonly coding: string | null
  /** Sizes of chunks; `null`: with Content-Length. */
  readonly chunks: readonly number[] | null
}

interface Handshake {
  readonly upgrade: string
  readonly version: string | null
  readonly key: string
  readonly protocol: string | null
}

interface Path {
  readonly place: Place
  /** What stands for the parameter, percent-encoded where it must be. */
  readonly param: string
  /** How it is spelled: plainly, with a slash at the end, or with one letter percent-encoded. */
  readonly spelling: 'plain' | 'slash' | 'encoded'
}

type Host = keyof typeof HOSTS
type Place = keyof typeof PLACES

const HOSTS = {
  localhost: 'ours',
  '127.0.0.1:8000': 'ours',
  'LocalHost:1': 'ours',
  '[::1]': 'ours',
  'evil.example': 'foreign',
  'localhost.evil.example': 'foreign',
  'a, b': 'malformed',
  'u@localhost': 'malformed',
  'localhost/x': 'malformed',
  '': 'malformed',
} as const

const METHODS = ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH', 'TRACE', 'PROPFIND']
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What a handler may answer with, once it was asked. */
type Handler = (request: HttpRequest, world: World) => readonly number[]

const PLACES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  '/process': { POST: startProcess },
  '/notify/:': { POST: startNotification },
  '/render': { POST: startRender },
  '/tasks': { GET: listTasks },
  '/tasks/:': {
    GET: ofTask(() => [200]),
    DELETE: ofTask(() => [202, 409]),
  },
  '/tasks/:/result': { GET: ofTask(() => [200, 409, 410]) },
  '/tasks/:/retry': {
    POST: ofTask(({ key }) => (key === null || isKey(key) ? [202, 409] : [400, 409])),
  },
  '/ticket': { POST: (_request, { isOpen }) => [isOpen ? 404 : 200] },
  '/healthz': { GET: () => [200] },
  '/readyz': { GET: () => [200] },
  '/metrics': { GET: showFigures },
  '/ws': { GET: ({ path }) => [path.spelling === 'plain' ? 426 : 404] },
  '/': { GET: () => [200] },
  '/app.js': { GET: () => [200] },
  '/echo.html': { GET: () => [200] },
}

// What is asked for.

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

// How it is written.

export function bytesOfCase({ requests, mutations, splice }: HttpCase, world: World): Buffer {
  const whole = Buffer.concat(requests.map((request) => bytesOf(request, world)))
  if (!splice) return mutate(whole, mutations)
  const other = bytesOf(splice.other, world)
  const part = (bytes: Buffer) => Math.floor((bytes.length * splice.at) / 10_000)
  const spliced = [whole.subarray(0, part(whole)), other.subarray(part(other))]
  return mutate(Buffer.concat(spliced), mutations)
}

function bytesOf(request: HttpRequest, { ids }: World): Buffer {
  const { method, version, hosts, body, key, expect, handshake, isLast, others, origin } = request
  const target = targetOf(request, ids)
  const content = body && contentOf(body)
  const lines = [
    `${method} ${target} HTTP/${version}`,
    ...hosts.map((host) => `Host: ${host}`),
    ...originLines(origin, hosts[0] ?? ''),
    ...request.tokens.flatMap(({ kind, isInQuery }) =>
      isInQuery ? [] : [`Authorization: Bearer ${TOKENS[kind]}`],
    ),
    ...(body?.type ? [`Content-Type: ${body.type}`] : []),
    ...(body?.coding ? [`Content-Encoding: ${body.coding}`] : []),
    ...(content
      ? [body.chunks ? 'Transfer-Encoding: chunked' : `Content-Length: ${content.length}`]
      : []),
    ...(key === null ? [] : [`Idempotency-Key: ${key}`]),
    ...(expect === null ? [] : [`Expect: ${expect}`]),
    ...(handshake ? handshakeLines(handshake) : []),
    ...(isLast && !handshake ? ['Connection: close'] : []),
    ...others,
  ]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (!content) return head
  return Buffer.concat([head, body.chunks ? chunked(content, body.chunks) : content])
}

export function contentOf({ text, edits }: Body): Buffer {
  return mutate(Buffer.from(text), edits)
}

function chunked(content: Buffer, sizes: readonly number[]): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < content.length; i++) {
    // The last size is that of all that is left, so that a large body is not in thousands of chunks.
    const size = i < sizes.length ? sizes[i]! : content.length - at
    const chunk = content.subarray(at, at + size)
    pieces.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    at += size
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')])
}

function targetOf({ path, query, tokens }: HttpRequest, ids: Ids): string {
  const param = paramOf(path, ids)
  let target = path.place.replace('/:', `/${param}`)
  if (path.spelling === 'slash' && /^\/\w/.test(target)) target += '/'
  if (path.spelling === 'encoded') {
    target = target.replace(/^\/[a-z]/, (start) => `/%${start.charCodeAt(1).toString(16)}`)
  }
  const inQuery = tokens.filter(({ isInQuery }) => isInQuery)
  const pairs = [
    ...query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
    ...inQuery.map(({ kind }) => `token=${TOKENS[kind]}`),
  ]
  return pairs.length === 0 ? target : `${target}?${pairs.join('&')}`
}

function paramOf({ param }: Path, ids: Ids): string {
  return Object.hasOwn(ids, param) ? ids[param as Role] : param
}

function handshakeLines({ upgrade, version, key, protocol }: Handshake): string[] {
  return [
    'Connection: Upgrade',
    `Upgrade: ${upgrade}`,
    `Sec-WebSocket-Key: ${key}`,
    ...(version === null ? [] : [`Sec-WebSocket-Version: ${version}`]),
    ...(protocol === null ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
}

function originLines(origin: HttpRequest['origin'], host: string): string[] {
  if (origin === 'same') return [`Origin: http://${host.toLowerCase()}`]
  if (origin === 'foreign') return ['Origin: https://foreign.example']
  if (origin === 'null') return ['Origin: null']
  return origin === 'cross-site' ? ['Sec-Fetch-Site: cross-site'] : []
}

// What is right.

/**
 * For each request the statuses that are right; undefined where the bytes are not what was asked for,
 * or where nobody may rely on an answer: behind the last request of a connection, or once it is cut.
 */
export function expectedOf(one: HttpCase, world: World): (readonly number[])[] | undefined {
  const { requests, mutations, splice, end } = one
  if (mutations.length > 0 || splice || end !== 'stay') return undefined
  const early = requests.slice(0, -1).some(({ isLast, version }) => isLast || version !== '1.1')
  if (early || (requests.length > 1 && requests.some(({ handshake }) => handshake)))
    return undefined
  return requests.map((request) => answersTo(request, world))
}

function answersTo(request: HttpRequest, world: World): readonly number[] {
  if (request.handshake) return answersToHandshake(request, request.handshake, world)
  const { method, path, version, expect, body } = request
  if (version !== '1.1' && version !== '1.0') return [505]
  const hosts = request.hosts.map((host) => HOSTS[host])
  if (hosts.length !== 1 || hosts[0] === 'malformed') return [400]
  if (expect !== null && expect !== '100-continue') return [417]
  if (version === '1.0' && body?.chunks) return [400]

  const isSafe = SAFE.has(method)
  if (!isSafe && /foreign|null|cross-site/.test(request.origin)) return [403]
  const isProbe = /^\/(healthz|readyz)$/.test(path.place) && path.spelling !== 'encoded'
  if (hosts[0] === 'foreign' && !isProbe) return [421]

  if (method === 'OPTIONS' && path.place === '*') return [204]
  const missed = missedBy(path, world.ids)
  if (missed) return [missed]
  const handlers = PLACES[path.place]!
  if (method === 'OPTIONS') return [204]
  const handler = handlers[method === 'HEAD' ? 'GET' : method]
  if (!handler) return [405]
  if (!isSafe) {
    const stopped = stoppedAt(request, world)
    if (stopped) return [stopped]
  }
  return handler(request, world)
}

// In the order of the gate.
function answersToHandshake(
  request: HttpRequest,
  { upgrade, version, key, protocol }: Handshake,
  world: World,
): readonly number[] {
  const { path, method, expect } = request
  const hosts = request.hosts.map((host) => HOSTS[host])
  // Before Node 22.21 and 24.9 that is refused, and later as if it had not been asked for.
  if (upgrade.toLowerCase() !== 'websocket') {
    return [400, ...answersTo({ ...request, handshake: null }, world)]
  }
  if (path.place !== '/ws' || path.spelling !== 'plain') return [404]
  if (method !== 'GET') return [405]
  if (request.version !== '1.1' && request.version !== '1.0') return [505]
  if (hosts.length !== 1 || hosts[0] === 'malformed') return [400]
  if (expect !== null && expect !== '100-continue') return [417]
  if (request.version === '1.0' || hasBody(request.body)) return [400]
  if (version !== '13') return [426]
  if (key !== KEY || !/^(null|meanwhile\.v1(, bearer\.x)?)$/.test(String(protocol))) return [400]
  if (hosts[0] === 'foreign') return [421]
  if (/foreign|null|cross-site/.test(request.origin)) return [403]
  const hasBearer = !world.isOpen && protocol?.includes('bearer')
  const stopped = hasBearer ? 401 : stoppedAt(request, world)
  return [stopped ?? 101]
}

// A path that is none, or nothing is at.
function missedBy(path: Path, ids: Ids): number | undefined {
  const param = paramOf(path, ids)
  const isPath = path.place.startsWith('/') && decoded(path.place) !== undefined
  const isParam = !path.place.includes('/:') || decoded(param) !== undefined
  if (!isPath || !isParam) return 400
  return path.place in PLACES ? undefined : 404
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

// A token that is missing or wrong; on an open server, a user that is no name.
function stoppedAt({ tokens, query }: HttpRequest, { isOpen }: World): number | undefined {
  if (!isOpen) return tokens.length === 1 && GOOD_TOKENS.includes(tokens[0]!.kind) ? undefined : 401
  const user = first(query, 'user')
  return user === undefined || isName(user) ? undefined : 422
}

function first(query: HttpRequest['query'], name: string): string | undefined {
  return query.find(([key]) => key === name)?.[1]
}

function startProcess({ query, body, key }: HttpRequest, world: World): readonly number[] {
  const has = (name: string) => first(query, name) !== undefined
  if (!world.isOpen && (has('fail') || has('wait'))) return [422]
  if (!isFlag(query, 'wait') || !isWhole(query, 'fail', 0, 1_000)) return [422]
  const isToWait = first(query, 'wait') === 'true'
  if (isToWait && has('fail')) return [422]
  const refusals = refusalsOf(body)
  if (refusals.length > 0) return refusals
  return isToWait ? [200] : queued(key)
}

function startNotification({ path, body, key }: HttpRequest, world: World): readonly number[] {
  if (!isName(decoded(paramOf(path, world.ids))!)) return [422]
  if (!hasBody(body)) return queued(key)
  const refusals = refusalsOf(body)
  if (refusals.length > 0) return refusals
  const { message = '' } = JSON.parse(contentOf(body!).toString())
  return typeof message === 'string' ? queued(key) : [422]
}

function startRender({ query, body, key }: HttpRequest, world: World): readonly number[] {
  if (!world.isOpen && first(query, 'thread') !== undefined) return [422]
  if (!isFlag(query, 'thread')) return [422]
  if (!hasBody(body)) return queued(key)
  const refusals = refusalsOf(body)
  if (refusals.length > 0) return refusals
  const given = JSON.parse(contentOf(body!).toString())
  const isRight = Object.entries(VIEW).every(([name, { least, most, isWhole }]) => {
    const number = Object.hasOwn(given, name) ? given[name] : least
    const isNumber = typeof number === 'number' && number >= least && number <= most
    return isNumber && (!isWhole || Number.isInteger(number))
  })
  if (!isRight) return [422]
  // Too much for the event loop, maybe: that is for another test.
  return first(query, 'thread') === 'false' ? [...queued(key), 422] : queued(key)
}

function queued(key: string | null): readonly number[] {
  if (key === null) return [202]
  return isKey(key) ? [202, 422] : [400] // 422: with another body before
}

function isKey(key: string): boolean {
  return /^[!-~]{1,255}$/.test(key)
}

function listTasks(request: HttpRequest, world: World): readonly number[] {
  const stopped = stoppedAt(request, world)
  if (stopped) return [stopped]
  const { query } = request
  const state = first(query, 'state')
  const isRight =
    isWhole(query, 'limit', 1, 100) &&
    isWhole(query, 'after', 0, 999_999_999) &&
    (state === undefined || STATES.some((known) => known === state))
  return [isRight ? 200 : 422]
}

function showFigures(request: HttpRequest, world: World): readonly number[] {
  const stopped = stoppedAt(request, world)
  if (stopped) return [stopped]
  return [world.isOpen || request.tokens[0]?.kind === 'admin' ? 200 : 403]
}

// Of a task that the user may see.
function ofTask(then: Handler): Handler {
  return (request, world) => {
    const stopped = stoppedAt(request, world)
    if (stopped) return [stopped]
    const role = ROLES.find((known) => known === request.path.param)
    const kind = request.tokens[0]?.kind
    const isTheirs = world.isOpen || kind === 'admin' || (role === 'FOREIGN') === (kind === 'bob')
    return role && role !== 'UNKNOWN' && isTheirs ? then(request, world) : [404]
  }
}

function all(query: HttpRequest['query'], name: string): string[] {
  return query.flatMap(([key, value]) => (key === name ? value : []))
}

function isFlag(query: HttpRequest['query'], name: string): boolean {
  const values = all(query, name)
  return values.length <= 1 && values.every((value) => value === 'true' || value === 'false')
}

function isWhole(query: HttpRequest['query'], name: string, least: number, most: number): boolean {
  const values = all(query, name)
  const isRight = (text: string) =>
    /^[0-9]{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most
  return values.length <= 1 && values.every(isRight)
}

function hasBody(body: Body | null): boolean {
  return body !== null && (body.chunks !== null || contentOf(body).length > 0)
}

/** What a body of JSON is refused with; none if it is an object. Of several, whichever comes first. */
function refusalsOf(body: Body | null): number[] {
  if (body === null || !hasBody(body)) return [400]
  const content = contentOf(body)
  if (!body.chunks && content.length > MAX_BODY) return [413]
  if (body.coding !== null) return [415]
  if (!/^application\/json(;\s*charset="?utf-8"?)?$/i.test(body.type ?? '')) return [415]
  if (content.length > MAX_BODY) return [413]
  if (!isUtf8(content)) return [400]
  const value = parsed(content.toString())
  if (value === undefined) return [400]
  const refusals = faultsOf(value)
  if (refusals.length > 0) return refusals
  return isObject(value) ? [] : [422]
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** 422 for a number beyond the range, 400 for more than 32 levels. */
export function faultsOf(value: unknown): number[] {
  const faults = new Set<number>()
  const open: [value: unknown, level: number][] = [[value, 0]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [one, level] = next
    if (typeof one === 'number' && !Number.isFinite(one)) faults.add(422)
    if (typeof one !== 'object' || one === null) continue
    if (level >= 32) faults.add(400)
    for (const child of Object.values(one)) open.push([child, level + 1])
  }
  return [...faults]
}
