import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Journal } from '../lib/journal.ts'
import { encodeRecord, VERSION_LINE } from '../lib/journal-lines.ts'
import { repair } from '../lib/journal-repair.ts'
import { compact, createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { type Json, silent, spawnProgram, temporaryFolder } from './basics.ts'

const [a, b, c] = ['a', 'ä'.repeat(1_000_000), 'c'].map((id) => encodeRecord({ id })) as [
  string,
  string,
  string,
]
const wrong = c.replace('"c"', '"d"')

async function fileOf(t: TestContext, content: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'tasks.journal')
  await writeFile(file, content)
  return file
}

const besides = async (file: string) => (await readdir(dirname(file))).toSorted()

const damaged: [what: string, content: string, dropped: number[], kept: string][] = [
  ['a changed byte', VERSION_LINE + a + wrong + b, [3], a + b],
  [
    'garbage, here and there',
    `${VERSION_LINE}x\n${a}\0\0\n\n${b}${wrong}${c}`,
    [2, 4, 5, 7],
    a + b + c,
  ],
  ['a torn tail', VERSION_LINE + a + b + c.slice(0, -1), [4], a + b],
  ['a lost prefix', VERSION_LINE + a.slice(12) + b, [2], b],
  ['a byte order mark', `\ufeff${VERSION_LINE}${a}${b}`, [1], a + b],
  ['nothing readable', `${VERSION_LINE}hello\nworld`, [2, 3], ''],
]

for (const [what, content, dropped, kept] of damaged) {
  test(`of a journal with ${what} only the damaged lines go, each named, and a copy stays`, async (t) => {
    const path = await fileOf(t, content)
    const entries: Json[] = []
    const log = createLog('debug', (line) => entries.push(JSON.parse(line)), compact)

    assert.equal(await repair(path, log), dropped.length)

    const named = entries.filter(({ message }) => message === 'line dropped')
    assert.deepEqual(
      named.map(({ line }) => line),
      dropped,
    )
    assert.equal(await readFile(path, 'utf8'), VERSION_LINE + kept)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    const [, copy, ...others] = await besides(path)
    assert.deepEqual(others, [])
    assert.match(copy!, new RegExp(`^${basename(path)}\\.damaged-\\d+$`))
    assert.equal(await readFile(join(dirname(path), copy!), 'utf8'), content)

    const journal = await Journal.open(path, { log: silent, metrics: new Metrics() })
    await journal.close()
    assert.equal(
      journal
        .takeOver(() => [])
        .map(encodeRecord)
        .join(''),
      kept,
    )
  })
}

test('a record in the place of the version line is readable, and kept', async (t) => {
  const path = await fileOf(t, a + c)
  await repair(path, silent)
  assert.equal(await readFile(path, 'utf8'), VERSION_LINE + a + c)
})

for (const content of ['', VERSION_LINE, VERSION_LINE + a + b]) {
  test(`a whole journal of ${content.length} characters is left as it is`, async (t) => {
    const path = await fileOf(t, content)
    const { ino, mtimeMs } = await stat(path)

    assert.equal(await repair(path, silent), 0)

    const after = await stat(path)
    assert.deepEqual([after.ino, after.mtimeMs], [ino, mtimeMs])
    assert.equal(await readFile(path, 'utf8'), content)
    assert.deepEqual(await besides(path), [basename(path)])
  })
}

test('a journal of another version is refused, and nothing is changed', async (t) => {
  const content = `meanwhile journal 2\n${a}garbage\n`
  const path = await fileOf(t, content)
  await assert.rejects(repair(path, silent), /version 1 .*got 2/)
  assert.equal(await readFile(path, 'utf8'), content)
  assert.deepEqual(await besides(path), [basename(path)])
})

test('without a journal nothing is made', async (t) => {
  const path = join(await temporaryFolder(t), 'tasks.journal')
  await assert.rejects(repair(path, silent), { code: 'ENOENT' })
  assert.deepEqual(await besides(path), [])
})

test('X15: a journal that another process has is refused', async (t) => {
  const content = `${VERSION_LINE}garbage\n${a}`
  const path = await fileOf(t, content)
  const program = `
    import { lock } from './lib/lock.ts'
    await lock(process.env.FILE)
    console.log('{"message":"mine"}')
    setInterval(() => {}, 60_000)`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  await spawnProgram(t, { FILE: path }, args).line('mine')
  const before = await besides(path)

  await assert.rejects(repair(path, silent), /another process has the journal/)

  assert.equal(await readFile(path, 'utf8'), content)
  assert.deepEqual(await besides(path), before)
})

test('a file that is no journal is not turned into one', async (t) => {
  const path = await fileOf(t, '{"name": "a package"}\n')
  await assert.rejects(repair(path, silent), /no journal/)
  assert.equal(await readFile(path, 'utf8'), '{"name": "a package"}\n')
})
