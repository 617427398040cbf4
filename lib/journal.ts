// The journal: what was accepted is on disk before anybody is told so, and comes back after a crash.
//
//     append ─▶ commit ──write──▶ written ──fdatasync──▶ synced
//
// Group commit: while one write is under way, all that comes in makes up the next; one sync is for all
// that was written before it began, and is put off for a moment when nobody waits for it. After a
// failed write or sync nobody can tell what the disk has (https://wiki.postgresql.org/wiki/Fsync_Errors),
// so the journal then stays closed until a restart.

import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Commit, type Moment } from './journal-commit.ts'
import { chunks, encodeRecord, type JournalRecord, replay, VERSION_LINE } from './journal-lines.ts'
import { checkPlace, placeOf, syncFolder, temporary } from './journal-place.ts'
import { lock } from './lock.ts'
import type { Log } from './log.ts'
import type { Histogram, Metrics } from './metrics.ts'

/** Why the journal takes nothing more. */
export class JournalError extends Error {
  override readonly name = 'JournalError'
}

export interface JournalOptions {
  readonly log: Log
  readonly metrics: Metrics
}

interface Opened {
  readonly path: string
  readonly file: FileHandle
  readonly inode: number
  readonly bytes: number
  readonly records: Map<string, JournalRecord>
  readonly release: () => Promise<void>
}

const LEAST_TO_COMPACT = 16 * 1_048_576 // bytes
const MAX_UNSYNCED = 100 // milliseconds until what nobody waits for is on the disk, too

export class Journal {
  readonly #path: string
  readonly #release: () => Promise<void>
  readonly #log: Log
  readonly #syncTime: Histogram
  #file: FileHandle
  #inode: number
  #bytes: number
  #compactAt = LEAST_TO_COMPACT // bytes
  #records: Map<string, JournalRecord>
  #live: () => Iterable<JournalRecord>
  #next = new Commit()
  #unsynced: Moment[] = []
  #timer: NodeJS.Timeout | undefined // of a sync that nobody waits for
  #writing: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  #failure: JournalError | undefined

  /**
   * Opens the journal, or begins one. Rejects if it is damaged or no file, or if another process has
   * it. A last record that a crash has cut is taken off.
   */
  static async open(name: string, options: JournalOptions): Promise<Journal> {
    await mkdir(dirname(name), { recursive: true, mode: 0o700 })
    const path = await placeOf(name)
    const release = await lock(path)
    let file: FileHandle | undefined
    try {
      await rm(temporary(path), { force: true })
      file = await open(path, 'a', 0o600)
      const records = await recover(path, file, options.log)
      const { ino: inode, size: bytes } = await file.stat()
      return new Journal({ path, file, inode, bytes, records, release }, options)
    } catch (error) {
      await file?.close()
      await release()
      throw error
    }
  }

  /** For `open`. */
  constructor(opened: Opened, { log, metrics }: JournalOptions) {
    this.#path = opened.path
    this.#release = opened.release
    this.#file = opened.file
    this.#inode = opened.inode
    this.#bytes = opened.bytes
    this.#records = opened.records
    this.#live = () => this.#records.values()
    this.#log = log
    this.#syncTime = metrics.histogram('journal_sync_seconds', 'What one fdatasync took.').of()
    metrics.gauge('journal_bytes', 'The size of the journal.', () => this.#bytes)
    metrics.gauge('journal_failed', '1: closed until a restart.', () => (this.#failure ? 1 : 0))
  }

  /** Why it is closed until a restart, if it is. */
  get failure(): JournalError | undefined {
    return this.#failure
  }

  /**
   * Hands over what was in it: each record whole, oldest first. From now on `live` says what is worth
   * keeping, when the file has grown twice as large.
   */
  takeOver(live: () => Iterable<JournalRecord>): JournalRecord[] {
    const records = [...this.#records.values()]
    this.#records = new Map()
    this.#live = live
    return records
  }

  /** Never throws; who has to be sure waits for the commit. What `live` gives must hold it already. */
  append(record: JournalRecord): Commit {
    const commit = this.#next
    if (this.#failure) commit.settle(this.#failure)
    else commit.lines.push(encodeRecord(record))
    // All of this turn of the event loop goes together.
    this.#writing ??= new Promise(setImmediate).then(() => this.#write())
    return commit
  }

  /** Writes and syncs what is left, and lets another process have the journal. */
  async close(): Promise<void> {
    await this.#writing
    await this.#syncRest()
    this.#failure ??= new JournalError('the journal is closed')
    await this.#file.close().catch(() => {})
    await this.#release()
  }

  // Never rejects: a failure closes the journal. So does `#sync`.
  async #write(): Promise<void> {
    while (this.#next.lines.length > 0) {
      if (this.#bytes > this.#compactAt) await this.#try(() => this.#compact())
      const commit = this.#next
      this.#next = new Commit()
      await this.#try(() => this.#append(commit.lines))
      commit.written.settle(this.#failure)
      this.#unsynced.push(commit.synced)
      if (commit.synced.isAwaited) this.#sync()
      else this.#timer ??= setTimeout(() => this.#syncRest(), MAX_UNSYNCED)
    }
    this.#writing = undefined
  }

  async #append(lines: readonly string[]): Promise<void> {
    let bytes = 0
    for (const text of chunks(lines)) {
      const chunk = Buffer.from(text)
      await this.#file.appendFile(chunk)
      bytes += chunk.length
    }
    this.#bytes += bytes
  }

  #sync(): Promise<void> {
    this.#syncing ??= this.#syncAll()
    return this.#syncing
  }

  async #syncAll(): Promise<void> {
    do {
      clearTimeout(this.#timer)
      this.#timer = undefined
      const moments = this.#unsynced.splice(0)
      const started = performance.now()
      await this.#try(() =>
        Promise.all([this.#file.datasync(), checkPlace(this.#path, this.#inode, this.#bytes)]),
      )
      this.#syncTime.observe((performance.now() - started) / 1_000)
      for (const moment of moments) moment.settle(this.#failure)
    } while (this.#unsynced.some(({ isAwaited }) => isAwaited))
    this.#syncing = undefined
  }

  // Also what was written since a sync that is under way began.
  #syncRest(): Promise<void> {
    for (const moment of this.#unsynced) moment.isAwaited = true
    return this.#sync()
  }

  // The first failure closes the journal; after it nothing is tried.
  async #try(step: () => Promise<unknown>): Promise<void> {
    if (this.#failure) return
    try {
      await step()
    } catch (cause) {
      const message = `the journal is closed until a restart: ${(cause as Error).message}`
      this.#failure ??= new JournalError(message, { cause })
      this.#log.error(message, { path: this.#path })
    }
  }

  // All that is worth keeping goes to a new file, which takes the place of this one when it is whole.
  async #compact(): Promise<void> {
    await this.#syncRest() // none shall begin while another file takes the place of this one
    if (this.#failure) return
    const started = performance.now()
    const file = await this.#rewrite()
    this.#compactAt = 2 * this.#bytes
    if (!file) return
    await this.#file.close()
    this.#file = file
    await syncFolder(this.#path)
    const before = this.#bytes
    const { ino, size } = await file.stat()
    this.#inode = ino
    this.#bytes = size
    this.#compactAt = Math.max(2 * size, LEAST_TO_COMPACT)
    const ms = Math.round(performance.now() - started)
    this.#log.debug('journal compacted', { bytes: size, before, ms })
  }

  // Undefined if that failed: then nothing is lost, and the old file goes on.
  async #rewrite(): Promise<FileHandle | undefined> {
    const path = temporary(this.#path)
    let file: FileHandle | undefined
    try {
      await rm(path, { force: true })
      file = await open(path, 'ax', 0o600)
      for (const text of chunks(linesOf(this.#live()))) await file.appendFile(text)
      await file.datasync()
      await rename(path, this.#path)
      return file
    } catch (error) {
      this.#log.error('the journal could not be compacted', { path: this.#path, error })
      await file?.close().catch(() => {})
      return undefined
    }
  }
}

async function recover(path: string, file: FileHandle, log: Log) {
  const { records, end } = await replay(path)
  const { size } = await file.stat()
  if (end < size) log.warn('the journal’s last record was cut off', { path, bytes: size - end })
  await file.truncate(end)
  if (end === 0) await file.appendFile(VERSION_LINE)
  await file.sync() // what a killed process has written, but not synced, counts from now on
  await syncFolder(path)
  return records
}

function* linesOf(records: Iterable<JournalRecord>): Generator<string> {
  yield VERSION_LINE
  for (const record of records) yield encodeRecord(record)
}
