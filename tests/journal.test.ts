import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { Journal, JournalError } from '../lib/journal.ts'
import { encodeRecord, VERSION_LINE } from '../lib/journal-lines.ts'
import { compact, createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { type Json, latch, spawnProgram, temporaryFolder } from './basics.ts'

const MIB = 1_048_576

const note = (id: string, text = '') => ({ id, text })
const [a, b, c] = ['a', 'b', 'ć'].map((id) => encodeRecord(note(id))) as [string, string, string]

async function fileOf(t: TestContext, content?: string | Buffer): Promise<string> {
  const path = join(await temporaryFolder(t), 'tasks.journal')
  if (content !== undefined) await writeFile(path, content)
  return path
}

/** A journal, with what it logs and measures. Closed when the test ends. */
async function openJournal(t: TestContext, path: string) {
  const entries: Json[] = []
  const log = createLog('debug', (line) => entries.push(JSON.parse(line)), compact)
  const metrics = new Metrics()
  const journal = await Journal.open(path, { log, metrics })
  t.after(() => journal.close())
  const logged = () => entries.map(({ level, message }) => `${level}: ${message}`)
  const figure = (name: string) =>
    Number(new RegExp(`^meanwhile_${name} (.*)$`, 'm').exec(metrics.text())?.[1])
  return { journal, logged, figure }
}

/** What a restart finds. */
async function reopen(t: TestContext, path: string): Promise<Json[]> {
  const { journal, logged } = await openJournal(t, path)
  await journal.close()
  assert.deepEqual(logged(), [])
  return journal.takeOver(nothing)
}

const nothing = () => []
const idsOf = (records: Iterable<{ id: string }>) => [...records].map(({ id }) => id)

test('what is synced is there after a restart, oldest first, and the file is only ours', async (t) => {
  const path = join(await temporaryFolder(t), 'new', 'folders', 'tasks.journal')
  const { journal, figure } = await openJournal(t, path)
  assert.equal(journal.takeOver(nothing).length, 0)

  await journal.append(note('b', 'é\n')).synced.wait()
  journal.append(note('a'))
  await journal.append(note('b', 'newer')).synced.wait()

  const { size, mode } = await stat(path)
  assert.equal(mode & 0o777, 0o600)
  assert.deepEqual([figure('journal_bytes'), figure('journal_failed')], [size, 0])
  await journal.close()
  assert.deepEqual(await reopen(t, path), [note('b', 'newer'), note('a')])
})

test('all that is appended in one turn shares one sync', async (t) => {
  const path = await fileOf(t)
  const { journal, figure } = await openJournal(t, path)
  const commits = Array.from({ length: 1_000 }, (_, i) => journal.append(note(`${i}`)))
  await Promise.all(commits.map(({ synced }) => synced.wait()))
  assert.equal(figure('journal_sync_seconds_count'), 1)
  await journal.append(note('later')).synced.wait()
  assert.equal(figure('journal_sync_seconds_count'), 2)
})

test('what nobody waits for shares a later sync, and has one soon if no other comes', async (t) => {
  const { journal, figure } = await openJournal(t, await fileOf(t))
  const syncs = () => figure('journal_sync_seconds_count')
  await journal.append(note('a')).written.wait()
  await journal.append(note('b')).written.wait()
  assert.equal(syncs(), 0)
  await journal.append(note('c')).synced.wait()
  assert.equal(syncs(), 1)

  await journal.append(note('d')).written.wait()
  while (syncs() === 1) await turn()
  await journal.append(note('e')).written.wait()
  await journal.close()
  assert.equal(syncs(), 3, 'closing waits for the rest')
})

test('what comes during a long sync has one of its own soon, though nobody waits for it', async (t) => {
  const path = await fileOf(t)
  const { journal, figure } = await openJournal(t, path)
  const [slow, begun] = [latch(), latch()]
  const file = await open(path)
  const prototype = Object.getPrototypeOf(file)
  await file.close()
  const { datasync } = prototype
  t.mock.method(prototype, 'datasync', async function (this: FileHandle) {
    begun.open()
    await slow.opened
    await datasync.call(this)
  })

  const first = journal.append(note('a')).synced.wait()
  await begun.opened
  await journal.append(note('b')).written.wait()
  await sleep(200) // it would have had its sync by now
  slow.open()
  await first
  while (figure('journal_sync_seconds_count') < 2) await turn()
})

test('what is appended while a write is under way comes next, in order', async (t) => {
  const path = await fileOf(t)
  const { journal } = await openJournal(t, path)
  const large = journal.append(note('large', 'x'.repeat(8 * MIB)))
  let isWriting = true
  large.written.wait().then(() => {
    isWriting = false
  })
  await turn() // the write begins
  const ids = ['a', 'b', 'c']
  const commits = ids.map((id) => journal.append(note(id)))
  assert.ok(isWriting)
  for (const { synced } of commits) await synced.wait()
  await journal.close()
  assert.deepEqual(idsOf(await reopen(t, path)), ['large', ...ids])
})

test('to close writes all that was appended, and takes nothing more', async (t) => {
  const path = await fileOf(t)
  const { journal, logged } = await openJournal(t, path)
  const commits = ['a', 'b'].map((id) => journal.append(note(id)))
  await journal.close()
  for (const { synced } of commits) await synced.wait()

  await assert.rejects(journal.append(note('late')).synced.wait(), JournalError)
  assert.deepEqual(logged(), [])
  assert.deepEqual(idsOf(await reopen(t, path)), ['a', 'b'])
})

test('J3, J4: after a kill all that was confirmed is there, in order, and nothing half', async (t) => {
  const path = await fileOf(t)
  const program = `${openInChild}
    for (let i = 0; ; i++) {
      const { synced } = journal.append({ id: String(i), text: 'x'.repeat((i * 7_919) % 50_000) })
      const confirmed = synced.wait().then(() => console.log(JSON.stringify({ message: String(i) })))
      if (i % 5 === 0) await confirmed
    }`
  const child = spawnProgram(t, { FILE: path }, [...evaluate, program])
  await child.line('100')
  child.child.kill('SIGKILL')
  await child.exited

  const { journal } = await openJournal(t, path)
  const records = journal.takeOver(nothing) as ReturnType<typeof note>[]
  assert.ok(records.length > 100)
  for (const [i, { id, text }] of records.entries()) {
    assert.deepEqual([id, text.length], [String(i), (i * 7_919) % 50_000])
  }
})

const evaluate = ['--import', 'tsx', '--input-type=module', '--eval']
const openInChild = `
  import { Journal } from './lib/journal.ts'
  import { createLog } from './lib/log.ts'
  import { Metrics } from './lib/metrics.ts'
  const options = { log: createLog('silent'), metrics: new Metrics() }
  const journal = await Journal.open(process.env.FILE, options)`

const torn: [what: string, before: string, last: string, ids: string[]][] = [
  ['a record', VERSION_LINE + a + b, c, ['a', 'b']],
  ['the version line', '', VERSION_LINE, []],
]

for (const [what, before, last, ids] of torn) {
  test(`J2: ${what} that was cut at any byte goes, is logged, and is in nobody’s way`, async (t) => {
    const content = Buffer.from(before + last)
    const start = Buffer.byteLength(before)
    const path = await fileOf(t)
    for (let end = start; end < content.length; end++) {
      await writeFile(path, content.subarray(0, end))

      const { journal, logged } = await openJournal(t, path)
      assert.deepEqual(idsOf(journal.takeOver(nothing)), ids, `cut at ${end}`)
      assert.equal(logged().length, end > start ? 1 : 0)
      for (const line of logged()) assert.match(line, /^warn: .*cut off/)
      await journal.append(note('next')).synced.wait()
      await journal.close()

      assert.deepEqual(idsOf(await reopen(t, path)), [...ids, 'next'], `cut at ${end}`)
    }
  })
}

test('J10: a recovery that is done again, or was not the last, gives the same', async (t) => {
  const path = await fileOf(t, VERSION_LINE + a + b + c.slice(0, 20))
  const first = await openJournal(t, path)
  await first.journal.close()
  assert.deepEqual(await reopen(t, path), first.journal.takeOver(nothing))
  assert.deepEqual(idsOf(await reopen(t, path)), ['a', 'b'])
  assert.equal(await readFile(path, 'utf8'), VERSION_LINE + a + b)
})

const text8MB = 'é'.repeat(4_000_000)
const recovered: [what: string, content: string, ids: string[]][] = [
  ['J15: an empty file', '', []],
  ['J15: nothing but the version', VERSION_LINE, []],
  [
    'J15: a record of 8 MB',
    VERSION_LINE + a + encodeRecord(note('huge', text8MB)) + c,
    ['a', 'huge', 'ć'],
  ],
  [
    'J2: a torn record of 8 MB',
    VERSION_LINE + a + encodeRecord(note('huge', text8MB)).trimEnd(),
    ['a'],
  ],
  ['J2: NULs at the end, where nothing was written', VERSION_LINE + a + '\0'.repeat(4_096), ['a']],
]

for (const [what, content, ids] of recovered) {
  test(`${what}: starts, and takes more`, async (t) => {
    const path = await fileOf(t, content)
    const { journal } = await openJournal(t, path)
    assert.deepEqual(idsOf(journal.takeOver(nothing)), ids)
    await journal.append(note('next')).synced.wait()
    await journal.close()
    assert.deepEqual(idsOf(await reopen(t, path)), [...ids, 'next'])
  })
}

const whole = VERSION_LINE + a + b + c
const refused: [what: string, content: string, line: number][] = [
  ['J13: a flipped bit', whole.replace('"b"', '"c"'), 3],
  ['J13: a flipped bit in the last record', whole.replace('"ć"', '"Ć"'), 4],
  ['J13: a line of garbage', `${VERSION_LINE}${a}garbage\n${b}`, 3],
  ['J13: an empty line', `${VERSION_LINE}${a}\n${b}`, 3],
  ['J13: NULs in the middle', `${VERSION_LINE}${a}${'\0'.repeat(4_096)}\n${b}`, 3],
  ['J13: two records joined', VERSION_LINE + a.trimEnd() + b, 2],
  ['J13: damage, and a torn tail', `${VERSION_LINE}x\n${b.slice(0, 9)}`, 2],
  ['J14: a record without its beginning', VERSION_LINE + a + b.slice(15) + c, 3],
  ['J15: only a line feed', '\n', 1],
  ['J15: line ends of Windows', whole.replaceAll('\n', '\r\n'), 1],
  ['J15: line ends of Windows, but for the version', VERSION_LINE + a.replace('\n', '\r\n'), 2],
  ['J15: a byte order mark', `\ufeff${whole}`, 1],
  ['J15: no version line', a + b, 1],
  ['J15: another file', 'Dear diary', 1],
]

for (const [what, content, line] of refused) {
  test(`${what}: refused, naming the file, the line and --repair; nothing changes`, async (t) => {
    const path = await fileOf(t, content)
    const offset =
      Buffer.byteLength(
        content
          .split('\n')
          .slice(0, line - 1)
          .join('\n'),
      ) + +(line > 1)
    await assert.rejects(openJournal(t, path), ({ message }: Error) => {
      for (const part of [path, `line ${line} (byte ${offset})`, '--repair']) {
        assert.ok(message.includes(part), `${part} is not in: ${message}`)
      }
      return true
    })
    assert.equal(await readFile(path, 'utf8'), content)
    assert.deepEqual(await readdir(dirname(path)), ['tasks.journal'], 'no owner is left')
  })
}

test('J15: a newer version is refused, naming both; nothing changes', async (t) => {
  const content = `meanwhile journal 2\n${a}`
  const path = await fileOf(t, content)
  await assert.rejects(openJournal(t, path), /version 1 .*got 2/)
  assert.equal(await readFile(path, 'utf8'), content)
})

const misplaced: [what: string, change: (path: string) => Promise<void>][] = [
  ['deleted', (path) => rm(path)],
  ['moved', (path) => rename(path, `${path}.old`)],
  ['replaced', (path) => writeFile(`${path}.2`, whole).then(() => rename(`${path}.2`, path))],
]

for (const [what, change] of misplaced) {
  test(`J16: a file that was ${what} confirms nothing any more`, async (t) => {
    const path = await fileOf(t)
    const { journal, logged, figure } = await openJournal(t, path)
    await journal.append(note('a')).synced.wait()
    assert.equal(journal.failure, undefined)
    await change(path)

    const b = journal.append(note('b'))
    await b.written.wait()
    const c = journal.append(note('c')) // while the sync is under way, or after it
    for (const { synced } of [b, c]) await assert.rejects(synced.wait(), JournalError)

    const { failure } = journal
    assert.equal(figure('journal_failed'), 1)
    for (const later of [journal.append(note('d')), journal.append(note('e'))]) {
      await assert.rejects(later.written.wait(), failure)
      await assert.rejects(later.synced.wait(), failure)
    }
    await journal.close()
    assert.equal(logged().length, 1)
    assert.match(logged()[0]!, /^error: the journal is closed until a restart/)
  })
}

test('X10, J12: a full disk cuts a record, which rejects; a restart has what was confirmed', async (t) => {
  const LIMIT = 64 // KiB that one file may have
  const path = await fileOf(t)
  const program = `${openInChild}
    const confirmed = []
    const append = (id) => journal.append({ id, text: 'x'.repeat(10_000) }).synced.wait()
    const outcome = (wait) => wait.then(() => 'confirmed', ({ name }) => name)
    while ((await outcome(append(String(confirmed.length)))) === 'confirmed') {
      confirmed.push(String(confirmed.length))
    }
    const { cause } = journal.failure
    const later = [await outcome(append('later')), await outcome(append('later'))]
    await journal.close()
    console.log(JSON.stringify({ confirmed, later, code: cause.code }))`
  const limited = ['-c', `ulimit -f ${LIMIT}; exec "$@"`, 'bash', process.execPath, ...evaluate]
  const child = spawn('bash', [...limited, program], {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, FILE: path },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const { confirmed, later, code } = JSON.parse(output)

  assert.ok(confirmed.length > 0)
  assert.deepEqual([code, later], ['EFBIG', ['JournalError', 'JournalError']])
  assert.equal((await stat(path)).size, LIMIT * 1_024, 'it failed within a record')

  const { journal, logged } = await openJournal(t, path)
  assert.deepEqual(idsOf(journal.takeOver(nothing)), confirmed)
  assert.match(logged()[0]!, /cut off/)
  await journal.append(note('next')).synced.wait()
  await journal.close()
  assert.deepEqual(idsOf(await reopen(t, path)), [...confirmed, 'next'])
})

/** Appends so much that the next write compacts. */
async function fill(journal: Journal): Promise<void> {
  for (let i = 0; i < 16; i++) await journal.append(note('large', 'x'.repeat(MIB))).synced.wait()
}

test('a journal that has grown keeps what lives, and what comes meanwhile', async (t) => {
  const path = await fileOf(t, whole)
  const { journal, logged, figure } = await openJournal(t, path)
  const compacting = latch()
  const live = [note('a', 'alive'), note('large', 'y'.repeat(3 * MIB)), note('b')]
  let asked = 0
  journal.takeOver(function* () {
    asked++
    for (const record of live) {
      journal.append(note(`while ${record.id}`))
      yield record
    }
    compacting.open()
  })

  await fill(journal)
  assert.equal(asked, 0)
  const before = journal.append(note('before'))
  await compacting.opened
  const after = journal.append(note('after'))
  for (const { synced } of [before, after]) await synced.wait()

  const { size, mode } = await stat(path)
  assert.ok(size < 4 * MIB, `${size} bytes`)
  assert.equal(mode & 0o777, 0o600)
  assert.equal(figure('journal_bytes'), size)
  assert.deepEqual([asked, logged()], [1, ['debug: journal compacted']])
  await journal.append(note('later')).synced.wait()
  await journal.close()
  const others = ['before', 'while a', 'while large', 'while b', 'after', 'later']
  assert.deepEqual(await reopen(t, path), [...live, ...others.map((id) => note(id))])
  assert.deepEqual(await readdir(dirname(path)), ['tasks.journal'])
})

test('J9: a kill while a journal is compacted costs nothing', async (t) => {
  const path = await fileOf(t, whole)
  const program = `${openInChild}
    journal.takeOver(function* () {
      for (const id of ['x', 'y']) yield { id, text: 'x'.repeat(${2 * MIB}) }
      process.kill(process.pid, 'SIGKILL')
    })
    for (let i = 0; ; i++) await journal.append({ id: 'd', text: 'x'.repeat(${MIB}), i }).synced.wait()`
  await spawnProgram(t, { FILE: path }, [...evaluate, program]).exited
  assert.ok((await stat(`${path}.new`)).size > MIB, 'it was killed halfway')

  assert.deepEqual(idsOf(await reopen(t, path)), ['a', 'b', 'ć', 'd'])
  assert.deepEqual(await readdir(dirname(path)), ['tasks.journal'])
})

test('J9: a new file that was not finished is not taken for the journal', async (t) => {
  const path = await fileOf(t, VERSION_LINE + a)
  await writeFile(`${path}.new`, VERSION_LINE + b)
  assert.deepEqual(idsOf(await reopen(t, path)), ['a'])
  assert.deepEqual(await readdir(dirname(path)), ['tasks.journal'])
})

test('a journal that can’t be compacted goes on as it is', async (t) => {
  const path = await fileOf(t)
  const { journal, logged } = await openJournal(t, path)
  journal.takeOver(() => [note('a')])
  await mkdir(join(`${path}.new`, 'in the way'), { recursive: true })

  await fill(journal)
  for (const id of ['b', 'c']) await journal.append(note(id)).synced.wait()

  assert.deepEqual(logged(), ['error: the journal could not be compacted'])
  assert.equal(journal.failure, undefined)
  await journal.close()
  await rm(`${path}.new`, { recursive: true })
  assert.deepEqual(idsOf(await reopen(t, path)), ['large', 'b', 'c'])
})
