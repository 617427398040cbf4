// The way out when the journal is damaged: what can be read is kept, the rest is named and dropped.

import { link, open, rename, rm } from 'node:fs/promises'
import { decodeRecord, isVersionLine, type Line, linesOf, VERSION_LINE } from './journal-lines.ts'
import { placeOf, syncFolder, temporary } from './journal-place.ts'
import { lock } from './lock.ts'
import { createLog, type Level, type Log } from './log.ts'

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
  const release = await lock(path)
  try {
    const { dropped, isWhole } = await rewrite(path)
    for (const { number, offset, bytes } of dropped) {
      const [, task] = /"id":"([\w-]{1,64})"/.exec(bytes.toString('latin1', 0, 200)) ?? []
      log.warn('line dropped', { line: number, offset, bytes: bytes.length, task })
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
  let isVersioned = true // as an empty file is
  let isEmpty = true
  try {
    await file.appendFile(VERSION_LINE)
    for await (const lines of linesOf(path)) {
      let readable = ''
      for (const line of lines) {
        if (line.number === 1) isVersioned = isVersionLine(line.bytes)
        if (line.number === 1 && isVersioned) continue
        if (line.isWhole && decodeRecord(line.bytes)) readable += `${line.bytes}\n`
        else dropped.push(line)
      }
      isEmpty &&= readable === ''
      await file.appendFile(readable)
    }
    if (isEmpty && !isVersioned) throw new Error(`${path} is no journal: nothing of it can be read`)
    await file.datasync()
    return { dropped, isWhole: isVersioned && dropped.length === 0 }
  } finally {
    await file.close()
  }
}
