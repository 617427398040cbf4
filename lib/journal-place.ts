// Where the journal's file is, and what is beside it.

import { open, readlink, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Where the file is, if it is behind a link. Rejects for what is no file: that could go on for ever. */
export async function placeOf(name: string): Promise<string> {
  const path = await realpath(name).catch(async (error) => {
    const isLink = (await readlink(name).catch(() => '')) !== ''
    if (error.code === 'ENOENT' && !isLink) return name // not made yet
    throw error
  })
  const found = await stat(path).catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found && !found.isFile())
    throw new Error(`expected the journal to be a file: ${path} is none`)
  if (found && found.nlink > 1)
    throw new Error(`expected one name for the journal: ${path} has two`)
  return path
}

/** Rejects if the file was removed, replaced or cut: it takes what is written, but nobody finds that again. */
export async function checkPlace(path: string, inode: number, leastBytes: number): Promise<void> {
  const { ino, size } = await stat(path)
  if (ino !== inode) throw new Error(`${path} was replaced`)
  if (size < leastBytes) throw new Error(`${path} was cut to ${size} bytes`)
}

/** Where a new journal is written, beside the one whose place it will take. */
export function temporary(path: string): string {
  return `${path}.new`
}

/** A new name in a folder is on disk only when the folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path))
  await folder.sync().finally(() => folder.close())
}
