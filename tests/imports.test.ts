// Who may import whom: data flows one way, and the three files at the top tell the story.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

const below = (folder: string) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))

const server = [...below('.'), ...below('lib'), ...below('jobs')].map(normalize)
const engines = below('engines').map(normalize)
const files = [...server, ...engines]

/** What a file imports: files of ours by their path, packages by their name. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  const specifiers = [...source.matchAll(/(?:\bfrom |\bimport\s*\(?\s*)'([^']+)'/g)].map(
    ([, name]) => name!,
  )
  return specifiers.map((name) =>
    name.startsWith('.') ? normalize(join(dirname(file), name)) : name,
  )
}

const isOurs = (name: string) => name.endsWith('.ts')

test('three files at the top, and each is there', () => {
  assert.deepEqual(below('.').toSorted(), ['server.ts', 'tasks.ts', 'ws.ts'])
  assert.ok(files.length > 10)
})

test('at run time there is ws and Node, nothing more', () => {
  for (const file of server) {
    for (const name of importsOf(file).filter((name) => !isOurs(name))) {
      assert.ok(name === 'ws' || (name.startsWith('node:') && isBuiltin(name)), `${file}: ${name}`)
    }
  }
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  assert.deepEqual(Object.keys(dependencies), ['ws'])
})

const arrows: [from: RegExp, to: RegExp][] = [
  [/^server\.ts$/, /^(tasks|ws)\.ts$|^(lib|jobs)\//],
  [/^tasks\.ts$/, /^lib\//],
  [/^ws\.ts$/, /^lib\//],
  [/^lib\//, /^lib\//],
  [/^jobs\//, /^tasks\.ts$|^(lib|jobs)\//],
  [/^engines\//, /^(lib|engines)\//],
]

for (const file of files) {
  test(`${file} imports only what it may`, () => {
    const [, allowed] = arrows.find(([from]) => from.test(file))!
    for (const name of importsOf(file).filter(isOurs)) assert.match(name, allowed)
  })
}

test('there are no circles', () => {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    assert.ok(!path.includes(file), [...path, file].join(' → '))
    if (done.has(file)) return
    for (const name of importsOf(file).filter(isOurs)) visit(name, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
})

test('importing the server starts nothing', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => /Server|Timeout/.test(name))
  await import('../server.ts')
  const after = process.getActiveResourcesInfo().filter((name) => /Server|Timeout/.test(name))
  assert.deepEqual(after, before)
})

test('no file of the server is longer than 250 lines', () => {
  for (const file of files) {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1
    assert.ok(lines <= 250, `${file} has ${lines}`)
  }
})
