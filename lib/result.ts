// What a task returned, made safe to keep, to show and to serve: JSON as text, or bytes with a type.

import { types } from 'node:util'
import { checkJson, isObject, toJson } from './json.ts'

/** JSON text or bytes; null for a function that returned nothing. */
export type Result = string | ByteResult | null

export interface ByteResult {
  /** A media type, for instance `image/png`. */
  readonly type: string
  readonly bytes: Uint8Array
}

const MAX_BYTES = 4 * 1_048_576
/** Of all results that are kept, and payloads for another try. */
export const MAX_HELD_BYTES = 64 * 1_048_576
export const MAX_SHOWN_BYTES = 65_536 // a frame must hold the task, and a page a hundred of them
const BYTES_TYPE = 'application/octet-stream'
export const JSON_TYPE = 'application/json; charset=utf-8'
const MEDIA_TYPE = /^[\w.+-]{1,64}\/[\w.+-]{1,64}(; ?charset=[\w-]{1,32})?$/

/**
 * Bytes are a `Uint8Array`, or `{ type, bytes }` with their media type. They are copied, since the
 * function may hold on to its own, unless a thread gives them away. Throws a `TypeError` or a
 * `RangeError` for what JSON can't hold, for more than 4 MiB, or for more than 32 levels in what a task
 * shows.
 */
export function resultOf(returned: unknown, isGivenAway = false): Result {
  if (returned === undefined) return null
  if (isBytes(returned)) return resultOf({ type: BYTES_TYPE, bytes: returned }, isGivenAway)
  if (isByteResult(returned)) {
    const { type, bytes } = returned
    if (!MEDIA_TYPE.test(type)) throw new TypeError('expected a media type such as image/png')
    checkSize(bytes.byteLength)
    // A view of a larger buffer would bring all of that along.
    const { buffer, byteLength } = bytes
    const isWhole = byteLength === buffer.byteLength && buffer instanceof ArrayBuffer
    return { type, bytes: isGivenAway && isWhole ? bytes : new Uint8Array(bytes) }
  }
  const text = toJson(returned)!
  checkSize(Buffer.byteLength(text))
  if (isShown(text)) checkJson(JSON.parse(text))
  return text
}

/** As a task shows it: the JSON itself, or `{ type, bytes }` for bytes and for over 64 KiB of JSON. */
export function shown(result: Result): unknown {
  if (result === null) return null
  if (typeof result === 'string' && isShown(result)) return JSON.parse(result)
  return { type: typeOf(result), bytes: sizeOf(result) }
}

export function typeOf(result: Result): string {
  return isBinary(result) ? result.type : JSON_TYPE
}

/** As it is served. */
export function bodyOf(result: Result): string | Uint8Array {
  return isBinary(result) ? result.bytes : (result ?? 'null')
}

/** In bytes. */
export function sizeOf(result: Result): number {
  if (result === null) return 0
  return typeof result === 'string' ? Buffer.byteLength(result) : result.bytes.byteLength
}

function isShown(json: string): boolean {
  return Buffer.byteLength(json) <= MAX_SHOWN_BYTES
}

export function isBinary(result: Result | undefined): result is ByteResult {
  return typeof result === 'object' && result !== null
}

function isBytes(value: unknown): value is Uint8Array {
  return types.isUint8Array(value)
}

function isByteResult(value: unknown): value is ByteResult {
  return isObject(value) && isBytes(value.bytes) && typeof value.type === 'string'
}

function checkSize(bytes: number): void {
  if (bytes <= MAX_BYTES) return
  throw new RangeError(`expected a result of at most ${MAX_BYTES} bytes, got ${bytes}`)
}
