// What is right as an answer to a request of HTTP, worked out from what the README says: so that a
// fuzzer finds a wrong answer, too, and not only a crash.

import { isUtf8 } from 'node:buffer'
import { VIEW } from '../../jobs/render.ts'
import { isObject } from '../../lib/json.ts'
import { isName } from '../../lib/names.ts'
import { STATES } from '../../lib/task.ts'
import { KEY } from '../handshake.ts'
import { contentOf, paramOf } from './http-bytes.ts'
import type { Body, Handshake, HttpCase, HttpRequest, Path } from './http-cases.ts'
import { GOOD_TOKENS, type Ids, ROLES, type World } from './world.ts'

export const MAX_BODY = 4_096 // bytes: what is too much has to be sent, too

export type Host = keyof typeof HOSTS
export type Place = keyof typeof PLACES

export const HOSTS = {
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

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What a handler may answer with, once it was asked. */
type Handler = (request: HttpRequest, world: World) => readonly number[]

export const PLACES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
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
    isWhole(query, 'after', 0, Number.MAX_SAFE_INTEGER) &&
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
    /^[0-9]+$/.test(text) &&
    text.length <= Math.max(9, String(most).length) &&
    Number(text) >= least &&
    Number(text) <= most
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
