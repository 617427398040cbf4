// What goes out to a client. A message is encoded and framed once, however many it goes to, and the
// same bytes are written to all of them.

export interface Frame {
  readonly bytes: Buffer
  /** Where only the newest counts: of the frames of one slot, a lagging reader gets the last. */
  readonly slot?: string | undefined
  /** May be left out altogether for a reader that lags. */
  readonly isLossy?: boolean | undefined
}

const TEXT = 0x81 // opcode 1, and the only frame of its message

/** One text frame (RFC 6455 §5.2), header and all, without a mask. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10 // of the text, behind its length
  const frame = Buffer.allocUnsafe(start + length)
  frame[0] = TEXT
  frame[1] = start === 2 ? length : start === 4 ? 126 : 127
  if (start === 4) frame.writeUInt16BE(length, 2)
  if (start === 10) frame.writeBigUInt64BE(BigInt(length), 2)
  frame.write(text, start)
  return frame
}

/** Frames that go out together. */
export interface Batch {
  readonly frames: readonly Frame[]
  /** Of all of them, in order. */
  readonly bytes: Buffer
  /** Whether none has a slot. */
  readonly isPlain: boolean
}

export function batchOf(frames: readonly Frame[]): Batch {
  const bytes = frames.length === 1 ? frames[0]!.bytes : Buffer.concat(frames.map(bytesOf))
  return { frames, bytes, isPlain: frames.every(({ slot }) => slot === undefined) }
}

function bytesOf({ bytes }: Frame): Buffer {
  return bytes
}
