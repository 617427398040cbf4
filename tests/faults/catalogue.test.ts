// Every row of the catalogue is a test, of which the title begins with its name, or says why it does
// not apply. So nothing of it is forgotten, and no test claims a row that is not there.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const TESTS = join(import.meta.dirname, '..')

/** How many rows each group has. */
const GROUPS = {
  B: 23,
  H: 27,
  M: 15,
  P: 14,
  U: 24,
  A: 12,
  F: 25,
  W: 18,
  S: 14,
  T: 22,
  X: 17,
  J: 16,
  R: 16,
}

const ROW = /^\| ([A-Z]\d+) \| (.+) \| (.+) \|$/gm
const TITLE = /['"`]([A-Z]\d+(?:, [A-Z]\d+)*): /g

const catalogue = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
const rows = [...catalogue.matchAll(ROW)].map(([, name, , answer]) => ({
  name: name!,
  isLeftOut: answer!.startsWith('does not apply: '),
}))

const files = readdirSync(TESTS, { recursive: true }) as string[]
const sources = files.filter((path) => path.endsWith('.test.ts'))
const tested = new Set(
  sources.flatMap((path) =>
    [...readFileSync(join(TESTS, path), 'utf8').matchAll(TITLE)].flatMap(([, names]) =>
      names!.split(', '),
    ),
  ),
)

test('the catalogue has every row, each once and in order', () => {
  const all = Object.entries(GROUPS).flatMap(([group, count]) =>
    Array.from({ length: count }, (_, i) => `${group}${i + 1}`),
  )
  assert.deepEqual(
    rows.map(({ name }) => name),
    all,
  )
})

test('every row is a test, or says why it does not apply', () => {
  const missing = rows.filter(({ name, isLeftOut }) => isLeftOut === tested.has(name))
  assert.deepEqual(missing, [], 'neither or both')
})

test('the documents say how many rows there are, and how many are tests', () => {
  const security = readFileSync(join(TESTS, '../SECURITY.md'), 'utf8')
  const count = rows.filter(({ isLeftOut }) => !isLeftOut).length
  assert.ok(
    security.includes(`${rows.length} rows: ${count} are tests`),
    `${rows.length}, ${count}`,
  )
  const readme = readFileSync(join(TESTS, '../README.md'), 'utf8')
  assert.ok(readme.includes(`in ${rows.length} rows`), `${rows.length}`)
})

test('every test that names a row names one of the catalogue', () => {
  const names = new Set(rows.map(({ name }) => name))
  assert.deepEqual(
    [...tested].filter((name) => !names.has(name)),
    [],
  )
})
