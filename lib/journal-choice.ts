// Opens the journal, unless the settings name none or the tasks are in Redis.

import { access } from 'node:fs/promises'
import type { Settings } from './config.ts'
import { Journal, type JournalOptions } from './journal.ts'

/** Rejects if it can't be had. */
export async function openJournal(
  { journal: path, tasksUrl }: Settings,
  options: JournalOptions,
): Promise<Journal | undefined> {
  if (path === undefined) return undefined
  if (tasksUrl === undefined) return Journal.open(path, options)
  if (await isThere(path)) {
    options.log.warn('the journal is not read, since the tasks are in Redis', { journal: path })
  }
  return undefined
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
