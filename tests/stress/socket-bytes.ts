// How a case of a WebSocket is written: its handshake, then its messages in frames, before and after
// their mutations.

import { OPCODE } from '../frames.ts'
import { handshake } from '../handshake.ts'
import { closing, frame } from './frames.ts'
import { mutate } from './mutations.ts'
import { type Form, type Item, type Message, type SocketCase, WRONG } from './socket-cases.ts'
import { type Ids, TOKENS, type TokenKind, type World } from './world.ts'

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

export function userOf(user: TokenKind): string {
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

export function pingOf(length: number, index: number): Buffer {
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

export function sizeOf(content: Buffer, pieces: number): number {
  return Math.ceil(content.length / pieces)
}

export function contentOf(
  item: Extract<Item, { edits: unknown }>,
  index: number,
  ids: Ids,
): Buffer {
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
