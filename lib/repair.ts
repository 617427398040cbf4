// The way out when the journal is damaged: what can be read is kept, the rest is named and dropped.

import { link, open, rename, rm } from 'node:fs/promises'
import { decodeRecord, isVersionLine, type Line, linesOf, VERSION_LINE } from './lines.ts'
import { createLog, type Level, type Log } from './log.ts'
import { own } from './owner.ts'
import { placeOf, syncFolder, temporary } from './place.ts'

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
 * Rewrites a journal without its damaged lines, and keeps it as it was under another name. Resolves to
 * how many lines were dropped. Rejects if another process has it, or if it is of another version.
 */
export async function repair(file: string, log: Log): Promise<number> {
  const path = await placeOf(file)
  const release = await own(path)
  try {
    const { dropped, isWhole } = await rewrite(path)
    for (const { number, offset, bytes } of dropped) {
      log.warn('line dropped', { line: number, offset, bytes: bytes.length })
    }
    if (isWhole) {
      log.info('the journal is whole, nothing was changed', { path })
    } else {
      const copy = `${path}.damaged-${Date.now()}`
      await link(path, copy)
      await rename(temporary(path), path)
      await syncFolder(path)
      log.info('journal repaired', { path, dropped: dropped.length, copy })
    }
    return dropped.length
  } finally {
    await rm(temporary(path), { force: true })
    await release()
  }
}

// Writes what can be read to a new file.
async function rewrite(path: string): Promise<{ dropped: Line[]; isWhole: boolean }> {
  const file = await open(temporary(path), 'w', 0o600)
  const dropped: Line[] = []
  let isWhole = true
  try {
    await file.appendFile(VERSION_LINE)
    for await (const lines of linesOf(path)) {
      let readable = ''
      for (const line of lines) {
        const isFirst = line.number === 1
        const isVersion = isFirst && isVersionLine(line.bytes)
        const isRecord = line.isWhole && decodeRecord(line.bytes) !== undefined
        if (isRecord) readable += `${line.bytes}\n`
        else if (!isVersion) dropped.push(line)
        if (isFirst ? !isVersion : !isRecord) isWhole = false
      }
      await file.appendFile(readable)
    }
    await file.datasync()
    return { dropped, isWhole }
  } finally {
    await file.close()
  }
}
