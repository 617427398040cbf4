// What may become of the journal's file and its folder, seen from outside. What is in the file, and when
// it is written, is in ../journal.test.ts; each call that fails in ../stress/sweep.test.ts.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { link, mkdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { encodeRecord, VERSION_LINE } from '../../lib/journal-lines.ts'
import { defineTask } from '../../tasks.ts'
import { processing, request, TYPE } from '../exchanges.ts'
import { latch, type Scope, startApp, statusOf, temporaryFolder } from '../helpers.ts'
import { type Fault, faultTest } from './fault.ts'

/** Where the journal will be, in a folder of its own. */
const newPlace = async (t: Scope) => join(await temporaryFolder(t), 'journal', 'tasks.journal')

const losses: [what: string, lose: (path: string) => Promise<unknown>][] = [
  ['J16: a journal whose folder is removed', (path) => rm(dirname(path), { recursive: true })],
  ['J16: a journal that is cut', (path) => truncate(path, 10)],
  ['J16: a journal that is emptied', (path) => writeFile(path, '')],
]

for (const [what, lose] of losses) {
  const path = await newPlace({ after })
  const hold = latch()
  const held = defineTask('held', () => hold.opened)
  const title = `${what} is noticed: 503 until a restart, and what runs goes on`
  faultTest(title, checkLoss, { env: { JOURNAL: path }, definitions: [held] })

  async function checkLoss({ url, tasks, logged }: Fault) {
    const { id } = await tasks.add(held, undefined)
    assert.equal(await statusOf(url, processing('{}', TYPE)), 202)
    await lose(path)

    assert.equal(await statusOf(url, processing('{}', TYPE)), 503)
    assert.equal(await statusOf(url, request('GET /readyz HTTP/1.1')), 503)
    hold.open()
    await tasks.idle()
    assert.equal((await tasks.find(id))?.state, 'succeeded')
    const errors = logged.filter(({ level }) => level === 'error')
    assert.equal(errors.length, 1)
    assert.match(errors[0]!.message, /^the journal is closed until a restart/)
  }
}

const places: [what: string, make: (path: string) => Promise<unknown>, error: RegExp][] = [
  ['X10: a device that is full', (path) => symlink('/dev/full', path), /full is none/],
  ['X10: a device that swallows all', (path) => symlink('/dev/null', path), /null is none/],
  ['J15: a folder', (path) => mkdir(path), /tasks.journal is none/],
  [
    'J15: a FIFO, which nobody would ever write to',
    async (path) => execFileSync('mkfifo', [path]),
    /tasks.journal is none/,
  ],
  ['J15: a link to nothing', (path) => symlink('nowhere', path), /ENOENT/],
  ['J15: a link to itself', (path) => symlink(path, path), /ELOOP/],
  [
    'J15: a file with two names, of which compaction would change one',
    async (path) => {
      await writeFile(path, '')
      await link(path, `${path}.2`)
    },
    /has two/,
  ],
  [
    'J15: a file in a file',
    async (path) => {
      await rm(dirname(path), { recursive: true })
      await writeFile(dirname(path), '')
    },
    /EEXIST|ENOTDIR/,
  ],
]

for (const [what, make, error] of places) {
  test(`${what} is no journal: the start is refused`, async (t) => {
    const path = await newPlace(t)
    await mkdir(dirname(path))
    await make(path)

    await assert.rejects(startApp(t, { JOURNAL: path }), error)
  })
}

test('J15: a link to a file is that file, also when it is compacted', async (t) => {
  const folder = await temporaryFolder(t)
  const [path, target] = [join(folder, 'link'), join(folder, 'target')]
  const large = { id: 'forgotten', text: 'x'.repeat(17 * 1_048_576) } as { id: string }
  await writeFile(target, VERSION_LINE + encodeRecord(large))
  await symlink(target, path)
  const app = await startApp(t, { JOURNAL: path })
  assert.equal(await statusOf(app.url, processing('{}', TYPE)), 202)
  await app.tasks.idle()
  await app.close()
  assert.ok((await stat(target)).size < 1_000)

  const { tasks } = await startApp(t, { JOURNAL: target })
  assert.equal((await tasks.list({ limit: 1 })).tasks[0]?.state, 'succeeded')
})

test('J15: two records of one task that say the same are one task; an old clock changes nothing', async (t) => {
  const path = join(await temporaryFolder(t), 'tasks.journal')
  const task = { id: 'a-0', name: 'write-log', payload: '{"line":"x","fail":0}', fields: {} }
  const record = { ...task, createdAt: Date.now() + 3_600_000 }
  const older = { ...task, id: 'b-0', createdAt: 1 }
  await writeFile(path, VERSION_LINE + [record, older, record].map(encodeRecord).join(''))
  const { tasks } = await startApp(t, { JOURNAL: path })
  await tasks.idle()
  const all = (await tasks.list({ limit: 10 })).tasks
  assert.deepEqual(
    all.map(({ id, state }) => [id, state]),
    [
      ['b-0', 'succeeded'],
      ['a-0', 'succeeded'],
    ],
  )
})
