// How a case of HTTP is written, byte by byte, before and after its mutations.

import type { Body, Handshake, HttpCase, HttpRequest, Path } from './http-cases.ts'
import { mutate } from './mutations.ts'
import { type Ids, type Role, TOKENS, type World } from './world.ts'

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

export function paramOf({ param }: Path, ids: Ids): string {
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
