// Loaded ahead of a server (see `faulty-disk.ts`): wraps what of `node:fs/promises` the journal uses,
// so that the n-th call of one kind on its files fails, or is the end of the process. Half of what is
// to be written then is.

import { writeFileSync } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { dirname } from 'node:path'
import type { Call, DiskFault } from './faulty-disk.ts'

type Told = DiskFault & { readonly journal: string; readonly report: string }

const { call, what, nth, isLasting, journal, report }: Told = JSON.parse(process.env.FAULT!)
const places = [journal, `${journal}.new`, dirname(journal)]
const { open, rename, rm, stat } = fs
let calls = 0

/** Whether this is the call that fails. */
function isMet(kind: Call, place: unknown): boolean {
  if (kind !== call || !places.includes(String(place))) return false
  calls++
  return isLasting ? calls >= nth : calls === nth
}

function strike(kind: Call): never {
  writeFileSync(report, `${kind}: ${what} (INJECTED)\n`, { flag: 'a' })
  if (what === 'SIGKILL') process.kill(process.pid, what)
  throw Object.assign(new Error(`${what}: ${kind}`), { code: what })
}

function meet(kind: Call, place: unknown): void {
  if (isMet(kind, place)) strike(kind)
}

function wrap(file: FileHandle, path: unknown): FileHandle {
  const { appendFile, datasync, sync, truncate } = file
  return Object.assign(file, {
    appendFile: async (data: string | Buffer) => {
      const isTorn = isMet('write', path)
      await appendFile.call(file, isTorn ? data.slice(0, data.length / 2) : data)
      if (isTorn) strike('write')
    },
    datasync: async () => {
      meet('fdatasync', path)
      await datasync.call(file)
    },
    sync: async () => {
      meet('fsync', path)
      await sync.call(file)
    },
    truncate: async (length: number) => {
      meet('truncate', path)
      await truncate.call(file, length)
    },
  })
}

Object.assign(fs, {
  open: async (...[path, flags, mode]: Parameters<typeof open>) => {
    meet('open', path)
    return wrap(await open(path, flags, mode), path)
  },
  rename: async (...[from, to]: Parameters<typeof rename>) => {
    meet('rename', from)
    await rename(from, to)
  },
  stat: async (...[path]: Parameters<typeof stat>) => {
    meet('stat', path)
    return stat(path)
  },
  rm: async (...[path, options]: Parameters<typeof rm>) => {
    meet('unlink', path)
    await rm(path, options)
  },
})
syncBuiltinESMExports()
