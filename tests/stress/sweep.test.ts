// Each call that the journal makes on its files fails once, and is once the end of the process: the
// first, the second, … until a run finishes untouched. What has to hold then is in `sweep.ts`.

import assert from 'node:assert/strict'
import { appendFile, copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeRecord } from '../../lib/journal-lines.ts'
import { type Scope, startApp, temporaryFolder } from '../helpers.ts'
import { Compiled } from './compiled.ts'
import type { Call, DiskFault } from './faulty-disk.ts'
import { Book, Client, type Situation, survive } from './sweep.ts'

const SIDE_BY_SIDE = 4
const LARGE = 'x'.repeat(17 * 1_048_576) // with it the journal is to be compacted

const ERRORS = ['EIO', 'ENOSPC'] as const
const KILL = ['SIGKILL'] as const

const sweeps: [what: string, calls: Call[], effects: readonly DiskFault['what'][]][] = [
  ['J11, J12: a write that fails', ['write'], ERRORS],
  ['J11: an fdatasync that fails', ['fdatasync'], ERRORS],
  ['J9: a rename that fails', ['rename'], ERRORS],
  ['J10: another call that fails', ['fsync', 'open', 'truncate', 'unlink'], ['EIO']],
  ['J1: a kill before a write', ['write'], KILL],
  ['J3, J8, J10: a kill between a write and its sync', ['fdatasync', 'fsync'], KILL],
  ['J4: a kill between a sync and what it confirms', ['stat'], KILL],
  ['J9: a kill before a new file takes its place', ['rename'], KILL],
  ['J10: a kill before another call', ['open', 'truncate', 'unlink'], KILL],
]

const undone: (() => unknown)[] = []
const scope: Scope = { after: (undo) => undone.push(undo) }
let compiled: Compiled
let left: Pick<Situation, 'journal' | 'book'>

before(async () => {
  compiled = await Compiled.make()
  left = await leaveJournal(scope)
})
after(async () => {
  await compiled.remove()
  for (const undo of undone) await undo()
})

/** What a crash leaves: a torn record, tasks that have not ended, and so much that it is compacted. */
async function leaveJournal(t: Scope) {
  const folder = await temporaryFolder(t)
  const files = { JOURNAL: join(folder, 'tasks.journal'), WORK_FILE: join(folder, 'log.txt') }
  const { url } = await startApp(t, { ...files, NOTIFY_SECONDS: '60' })
  const book = new Book()
  const client = new Client(url, book)
  await client.add('notify', '/notify/alice')
  await client.cancel(await client.add('notify', '/notify/bob'))
  const journal = join(folder, 'left')
  await copyFile(files.JOURNAL, journal)
  await appendFile(journal, encodeRecord({ id: 'forgotten', text: LARGE } as { id: string }))
  await appendFile(journal, '01234567 {"id":"torn')
  assert.equal(book.owed.size, 2)
  return { journal, book }
}

async function askForAll(client: Client): Promise<void> {
  const [first, second] = await Promise.all([
    client.add('notify', '/notify/carol', { message: 'é' }),
    client.add('notify', '/notify/dave'),
    client.add('write-log', '/process', { n: 1 }),
  ])
  const [, cancelled] = await Promise.all([client.cancel(first), client.cancel(second)])
  await client.retry(cancelled)
  await client.add('write-log', '/process', { n: 2 })
}

const askForOne = async (client: Client) => void (await client.add('notify', '/notify/carol'))

const begin = (): Situation => ({ server: compiled.folder, book: new Book(), drive: askForAll })
const goOn = (): Situation => ({ server: compiled.folder, ...left, drive: askForOne })

for (const [where, make] of [
  ['a new journal', begin],
  ['one that a crash has left', goOn],
] as const) {
  describe(where, { concurrency: SIDE_BY_SIDE }, () => {
    for (const [what, calls, effects] of sweeps) {
      for (const call of calls) {
        for (const effect of effects) {
          const title = `${what} (${call}, ${effect}) loses nothing that was acknowledged`
          test(title, () => sweep(make(), call, effect))
        }
      }
    }
  })
}

test('J10: a look at a file that fails loses nothing that was acknowledged', async () => {
  await sweep(goOn(), 'stat', 'EIO')
})

// As it is done where there is no strace, so that it goes on to work.
describe('the same, wrapped', { concurrency: SIDE_BY_SIDE }, () => {
  for (const [call, effect] of [
    ['write', 'ENOSPC'],
    ['fdatasync', 'EIO'],
    ['fsync', 'SIGKILL'],
    ['rename', 'SIGKILL'],
  ] as const) {
    test(`${call}, ${effect}`, () => sweep(goOn(), call, effect, false))
  }
})

for (const [what, call, effect] of [
  ['full', 'write', 'ENOSPC'],
  ['broken', 'fdatasync', 'EIO'],
] as const) {
  test(`J11: a disk that is ${what} from then on is one failure, and is not asked again`, async () => {
    assert.ok(await survive(begin(), { call, what: effect, nth: 3, isLasting: true }))
  })
}

async function sweep(
  situation: Situation,
  call: Call,
  what: DiskFault['what'],
  isTraced?: boolean,
): Promise<void> {
  let isStruck = true
  for (let nth = 1; isStruck; nth++) {
    isStruck = await survive(situation, { call, what, nth }, isTraced).catch((cause) => {
      throw new Error(`at call ${nth}: ${cause.message}`, { cause })
    })
  }
}
