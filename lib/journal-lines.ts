// The journal's format: a line that names the version, then one line a record, each with the CRC-32
// of its JSON in front, as eight hexadecimal digits. JSON has no line feed inside, so that whatever
// was cut or changed costs one line.

import { createReadStream } from 'node:fs'
import { crc32 } from 'node:zlib'

/** A record is a part of what is known of one task. The newest wins, field by field. */
export interface JournalRecord {
  readonly id: string
}

export interface Line {
  /** From 1. */
  readonly number: number
  /** Of its first byte in the file. */
  readonly offset: number
  /** Without the line feed. */
  readonly bytes: Buffer
  /** False for the last one, if it has no line feed. */
  readonly isWhole: boolean
}

const NAME = 'meanwhile journal'
const VERSION = 1
const LINE_FEED = 10
const JSON_AT = 9 // behind the checksum and a space
const CHUNK = 1_048_576 // characters that are written at once

export const VERSION_LINE = `${NAME} ${VERSION}\n`

export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record)
  return `${checksum(json)} ${json}\n`
}

/** Lines put together, as many as one text may hold: all of them may be more than the longest there is. */
export function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += line
    if (chunk.length < CHUNK) continue
    yield chunk
    chunk = ''
  }
  if (chunk) yield chunk
}

/** Undefined if it is not as it was written. */
export function decodeRecord(bytes: Buffer): JournalRecord | undefined {
  const json = bytes.subarray(JSON_AT)
  if (bytes.toString('latin1', 0, JSON_AT) !== `${checksum(json)} `) return undefined
  try {
    return JSON.parse(json.toString())
  } catch {
    return undefined // the checksum of nothing is 00000000
  }
}

/** Throws for another version. False if it is no version line at all. */
export function isVersionLine(bytes: Buffer): boolean {
  const text = bytes.toString('latin1', 0, 64)
  const [, version] = new RegExp(`^${NAME} (\\d+)$`).exec(text) ?? []
  if (version === undefined || Number(version) === VERSION) return version !== undefined
  throw new Error(`expected version ${VERSION} of the journal, got ${version}`)
}

/** The lines of a file, as many together as a chunk has: an `await` for each would cost more. */
export async function* linesOf(file: string): AsyncGenerator<Line[]> {
  let number = 1
  let offset = 0
  let parts: Buffer[] = [] // of a line that has not come to its end
  const take = (bytes: Buffer, isWhole: boolean): Line => {
    const line = { number: number++, offset, bytes, isWhole }
    offset += bytes.length + (isWhole ? 1 : 0)
    return line
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 1_048_576 })) {
    const lines: Line[] = []
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      if (end === -1) break
      parts.push(chunk.subarray(start, end))
      lines.push(take(parts.length === 1 ? parts[0]! : Buffer.concat(parts), true))
      parts = []
      start = end + 1
    }
    if (start < chunk.length) parts.push(chunk.subarray(start))
    yield lines
  }
  if (parts.length > 0) yield [take(Buffer.concat(parts), false)]
}

interface Replayed {
  /** By id, each record whole. */
  readonly records: Map<string, JournalRecord>
  /** Where the last record ends: what is behind it was cut by a crash. */
  readonly end: number
}

/** Rejects for damage before the last record, naming the line and the way out. */
export async function replay(file: string): Promise<Replayed> {
  const records = new Map<string, JournalRecord>()
  let end = 0
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      if (isTorn(line)) break
      if (!take(line, records)) throw damage(file, line)
      end = line.offset + line.bytes.length + 1
    }
  }
  return { records, end }
}

/** Whether a crash has cut it: the last line, without its line feed. */
function isTorn({ number, bytes, isWhole }: Line): boolean {
  return !isWhole && (number > 1 || VERSION_LINE.startsWith(bytes.toString('latin1')))
}

// False if the line is not as it was written.
function take({ number, bytes }: Line, records: Map<string, JournalRecord>): boolean {
  if (number === 1) return isVersionLine(bytes)
  const record = decodeRecord(bytes)
  if (!record) return false
  const known = records.get(record.id)
  if (known) Object.assign(known, record)
  else records.set(record.id, record)
  return true
}

function damage(file: string, { number, offset }: Line): Error {
  return new Error(
    `the journal ${file} is damaged at line ${number} (byte ${offset}): ` +
      'node server.ts --repair keeps a copy and drops what can’t be read',
  )
}

function checksum(json: string | Buffer): string {
  return crc32(json).toString(16).padStart(8, '0')
}
