// A crash has left a journal: a torn record, tasks that have not ended, a new file that was not finished,
// and so much that it is compacted. Each call on the way back fails once, and is once the end of the
// process, and then again. What has to hold is in `sweep.ts`.

import assert from 'node:assert/strict'
import { appendFile, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { encodeRecord } from '../../lib/journal-lines.ts'
import { scoped, startApp } from '../helpers.ts'
import { Compiled } from './compiled.ts'
import { Book, Client, type Situation, sweepAll } from './sweep.ts'

const LARGE = 'x'.repeat(17 * 1_048_576) // more than from what on a journal is compacted

const book = new Book()
let compiled: Compiled
let folder: string
let left: string

before(async () => {
  compiled = await Compiled.make()
  folder = await mkdtemp(join(tmpdir(), 'meanwhile-'))
  left = join(folder, 'left')
  await scoped(async (t) => {
    const journal = join(folder, 'journal')
    const { url } = await startApp(t, { JOURNAL: journal, NOTIFY_SECONDS: '60' })
    const client = new Client(url, book)
    await client.add('notify', '/notify/alice')
    await client.cancel(await client.add('notify', '/notify/bob'))
    await copyFile(journal, left)
  })
  await appendFile(left, encodeRecord({ id: 'forgotten', text: LARGE } as { id: string }))
  await appendFile(left, '01234567 {"id":"torn')
  assert.equal(book.owed.size, 2)
})
after(async () => {
  await compiled.remove()
  await rm(folder, { recursive: true })
})

const goOn = (): Situation => ({
  server: compiled.folder,
  journal: left,
  book,
  drive: async (client) => void (await client.add('notify', '/notify/carol')),
})

sweepAll(
  [
    ['J11, J12: a write that fails', ['write'], ['EIO', 'ENOSPC']],
    ['J9, J11: a sync that fails', ['fdatasync', 'fsync'], ['EIO', 'ENOSPC']],
    ['J9: a rename that fails', ['rename'], ['EIO', 'ENOSPC']],
    ['J10: another call that fails', ['open', 'stat', 'truncate', 'unlink'], ['EIO']],
    ['J9, J10: a kill before a write', ['write'], ['SIGKILL']],
    ['J9, J10: a kill before a sync', ['fdatasync', 'fsync'], ['SIGKILL']],
    ['J9: a kill before a new file takes its place', ['rename'], ['SIGKILL']],
    ['J10: a kill before another call', ['open', 'stat', 'truncate', 'unlink'], ['SIGKILL']],
  ],
  goOn,
)

// As it is done where there is no strace, so that it goes on to work.
sweepAll(
  [
    ['wrapped: an error', ['write', 'fdatasync'], ['EIO']],
    ['wrapped: a kill', ['fsync', 'rename'], ['SIGKILL']],
  ],
  goOn,
  false,
)
