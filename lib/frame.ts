// What goes out to a client. A message is encoded and framed once, however many it goes to, and the
// same bytes are written to all of them.

import { Sender } from 'ws'

// Exported by `ws`, and missing in @types/ws 8.18.
declare module 'ws' {
  const Sender: {
    frame(data: Buffer, options: Readonly<Record<string, unknown>>): Buffer[]
  }
}

export interface Frame {
  readonly bytes: Buffer
  /** Where only the newest counts: of the frames of one slot, a lagging reader gets the last. */
  readonly slot?: string | undefined
  /** May be left out altogether for a reader that lags. */
  readonly isLossy?: boolean | undefined
}

const TEXT = { fin: true, opcode: 1, mask: false, rsv1: false, readOnly: true }

/** One text frame (RFC 6455 §5.2), header and all. */
export function textFrame(text: string): Buffer {
  return Buffer.concat(Sender.frame(Buffer.from(text), TEXT))
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
