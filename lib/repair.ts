// The way out when the journal is damaged: what can be read is kept, the rest is named and dropped.

import { copyFile, open, rename, rm } from 'node:fs/promises'
import { syncFolder, temporary } from './journal.ts'
import { decodeRecord, isVersionLine, type Line, linesOf, VERSION_LINE } from './lines.ts'
import { createLog, type Level, type Log } from './log.ts'
import { own } from './owner.ts'

interface RepairOptions {
  readonly journal: string | undefined
  readonly logLevel: Level
}

/** What `--repair` does, then the process exits. */
export async function repairJournal({ journal, logLevel }: RepairOptions): Promise<never> {
  if (journal === undefined) throw new Error('there is no journal to repair: JOURNAL is off')
  await repair(journal, createLog(logLevel))
  process.exit(0)
}

/**
 * Rewrites a journal without its damaged lines, and keeps a copy of it as it was. Resolves to how many
 * lines were dropped. Rejects if another process has it, or if it is of another version.
 */
export async function repair(path: string, log: Log): Promise<number> {
  const release = await own(path)
  try {
    const dropped = await rewrite(path, log)
    if (dropped > 0) {
      const copy = `${path}.damaged-${Date.now()}`
      await copyFile(path, copy)
      await rename(temporary(path), path)
      await syncFolder(path)
      log.info('journal repaired', { path, dropped, copy })
    } else {
      await rm(temporary(path))
      log.info('the journal is whole, nothing was changed', { path })
    }
    return dropped
  } finally {
    await release()
  }
}

async function rewrite(path: string, log: Log): Promise<number> {
  const file = await open(temporary(path), 'w', 0o600)
  let dropped = 0
  try {
    await file.appendFile(VERSION_LINE)
    for await (const lines of linesOf(path)) {
      const whole = lines.filter(isReadable)
      for (const { number, offset, bytes } of lines.filter((line) => !isReadable(line))) {
        dropped++
        log.warn('line dropped', { line: number, offset, bytes: bytes.length })
      }
      const records = whole.filter(({ number }) => number > 1)
      await file.appendFile(records.map(({ bytes }) => `${bytes}\n`).join(''))
    }
    await file.datasync()
    return dropped
  } finally {
    await file.close()
  }
}

function isReadable({ number, bytes, isWhole }: Line): boolean {
  if (!isWhole) return false
  return number === 1 ? isVersionLine(bytes) : decodeRecord(bytes) !== undefined
}
