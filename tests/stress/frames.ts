// WebSocket frames as bytes (RFC 6455 §5.2), right and wrong ones, and what comes back as frames again.

import assert from 'node:assert/strict'

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

interface Form {
  readonly isFinal?: boolean
  readonly reserved?: number
  readonly isMasked?: boolean
  /** Bits in which the length is written; by default as few as will do. */
  readonly lengthBits?: number
  /** What the frame says of its length, if not the truth. */
  readonly length?: bigint
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

/** One frame of a client. */
export function frame(opcode: number, payload: Buffer, form: Form = {}): Buffer {
  const { isFinal = true, reserved = 0, isMasked = true, length = BigInt(payload.length) } = form
  const least = length < 126n ? 7 : length < 65_536n ? 16 : 64
  const bits = Math.max(least, form.lengthBits ?? 0)
  const first = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode
  const second = (isMasked ? 0x80 : 0) | (bits === 7 ? Number(length) : bits === 16 ? 126 : 127)
  const head = Buffer.alloc(2 + (bits === 7 ? 0 : bits / 8))
  head[0] = first
  head[1] = second
  if (bits === 16) head.writeUInt16BE(Number(length), 2)
  if (bits === 64) head.writeBigUInt64BE(length, 2)
  if (!isMasked) return Buffer.concat([head, payload])
  return Buffer.concat([head, MASK, payload.map((byte, i) => byte ^ MASK[i % 4]!)])
}

export function closing(code: number, reason: Buffer = Buffer.alloc(0)): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return Buffer.concat([payload, reason])
}

/** The whole frames of a server at the beginning of the bytes. Throws for what is none. */
export function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = 0
  for (;;) {
    const [first, second] = [bytes[at], bytes[at + 1]]
    if (first === undefined || second === undefined) return frames
    const opcode = first & 0x0f
    assert.ok(first >= 0x80 && first < 0x90, `a frame that begins with ${first}`)
    assert.ok(second < 0x80, 'a masked frame from the server')
    assert.ok([OPCODE.text, OPCODE.close, OPCODE.ping, OPCODE.pong].includes(opcode as never))
    const start = at + 2 + (second < 126 ? 0 : second === 126 ? 2 : 8)
    if (start > bytes.length) return frames
    let length = second
    if (second === 126) length = bytes.readUInt16BE(at + 2)
    if (second === 127) length = Number(bytes.readBigUInt64BE(at + 2))
    if (start + length > bytes.length) return frames
    frames.push({ opcode, payload: bytes.subarray(start, start + length) })
    at = start + length
  }
}
