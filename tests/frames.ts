// WebSocket frames as bytes (RFC 6455 §5.2): what a client sends, right or wrong, and what comes back.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { SUBPROTOCOL } from '../lib/protocol.ts'
import { handshake } from './handshake.ts'
import { connectTcp, exchange, type Scope } from './helpers.ts'

export const FIN = 0x80
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

const MASK = Buffer.alloc(4) // which leaves the payload as it is

// With which a server's frame begins: it is whole, has no reserved bits, and is never binary.
const FIRST = new Set(
  [OPCODE.text, OPCODE.close, OPCODE.ping, OPCODE.pong].map((opcode) => FIN | opcode),
)

/**
 * A frame of a client. Its first byte is FIN, the reserved bits and the opcode. It may announce another
 * length than its payload has.
 */
export function clientFrame(
  first: number,
  payload: string | Buffer = '',
  announced: number | bigint = Buffer.byteLength(payload),
): Buffer {
  const length = lengthOf(BigInt(announced))
  length[0]! |= 0x80 // masked
  return Buffer.concat([Buffer.from([first]), length, MASK, Buffer.from(payload)])
}

export const textOf = (message: unknown) =>
  clientFrame(FIN | OPCODE.text, typeof message === 'string' ? message : JSON.stringify(message))

/** One part of a message: the first has the opcode, those behind it are continuations. */
export const fragment = (opcode: number, payload: string | Buffer = '') =>
  clientFrame(opcode, payload)

export function closeOf(code?: number, reason: string | Buffer = ''): Buffer {
  if (code === undefined) return clientFrame(FIN | OPCODE.close)
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
  return clientFrame(FIN | OPCODE.close, payload)
}

function lengthOf(length: bigint): Buffer {
  if (length < 126n) return Buffer.from([Number(length)])
  const bytes = Buffer.alloc(length < 65_536n ? 3 : 9)
  if (length < 65_536n) bytes.writeUInt16BE(Number(length), 1)
  else bytes.writeBigUInt64BE(length, 1)
  bytes[0] = length < 65_536n ? 126 : 127
  return bytes
}

export interface ServerFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** The frames of a server. One that is cut off is left out. Throws for what no server may send. */
export function framesOf(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = []
  for (let rest = bytes; ; ) {
    const [first, short] = rest
    if (first === undefined || short === undefined) return frames
    assert.ok(FIRST.has(first), `a frame that begins with ${first}`)
    assert.ok(short < 128, 'a masked frame from the server')
    const start = short < 126 ? 2 : short === 126 ? 4 : 10
    if (rest.length < start) return frames
    const length = short < 126 ? short : start === 4 ? rest.readUInt16BE(2) : rest.readUInt32BE(6)
    if (rest.length < start + length) return frames
    frames.push({ opcode: first & 15, payload: rest.subarray(start, start + length) })
    rest = rest.subarray(start + length)
  }
}

/** What a frame says: a text as it is, `ping …`, `pong …`, or the code of a close, where 1005 is none. */
export function meaningOf({ opcode, payload }: ServerFrame): string | number {
  if (opcode === OPCODE.close) return payload.length > 0 ? payload.readUInt16BE() : 1005
  if (opcode === OPCODE.text) return String(payload)
  return `${opcode === OPCODE.ping ? 'ping' : 'pong'} ${payload}`
}

/** Sends bytes together with the handshake. Returns the frames that came until the server closed. */
export async function talk(
  url: string,
  bytes: Buffer,
  lines: Record<string, string> = {},
): Promise<ServerFrame[]> {
  const answer = await exchange(url, Buffer.concat([Buffer.from(handshake(lines)), bytes]))
  if (!answer.startsWith('HTTP/1.1 101 ')) throw new Error(`expected 101, got ${answer}`)
  return framesOf(Buffer.from(answer.slice(answer.indexOf('\r\n\r\n') + 4), 'latin1'))
}

/** The lines of a handshake for `meanwhile.v1`. */
export const V1 = { 'Sec-WebSocket-Protocol': SUBPROTOCOL }

/** A raw socket that has shaken hands for `meanwhile.v1`, and answers nothing by itself. */
export async function connectRaw(
  t: Scope,
  url: string,
  { query = '', lines = {} }: { query?: string; lines?: Record<string, string> } = {},
): Promise<Socket> {
  const socket = connectTcp(url)
  t.after(() => socket.destroy())
  socket.write(handshake({ ...V1, ...lines }, `GET /ws${query} HTTP/1.1`))
  const [answer] = await once(socket, 'data')
  if (!String(answer).startsWith('HTTP/1.1 101 ')) throw new Error(`expected 101, got ${answer}`)
  return socket.resume()
}
