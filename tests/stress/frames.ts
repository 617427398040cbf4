// A client's WebSocket frame as bytes, in every form that it may have, and in wrong ones. What single
// tests need, and how a server's frames are read, is in ../frames.ts.

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
