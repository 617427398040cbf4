// The README's tables against the code, so that they cannot go stale.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { SETTINGS } from '../lib/config.ts'
import { CLOSE } from '../lib/protocol.ts'
import { STATES } from '../lib/task.ts'
import { connectSocket, startApp, until } from './helpers.ts'

const read = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8')
const readme = read('README.md')

/** The rows of a section's tables that begin with code, as cells without their back quotes. */
function rowsOf(section: string): string[][] {
  const text = readme.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line.split(' | ').map((cell) => cell.replace(/^\| |^`|`$| \|$/g, '').replace(/^`/, '')),
    )
}

test('the table of settings has every setting with its default, and no other', () => {
  const written = rowsOf('Settings')
    .filter(([name]) => /^[A-Z]/.test(name!))
    .map(([name, standard]) => [name, standard === 'none' ? '' : standard])
  const real = Object.values(SETTINGS).map((setting) => [setting.variable, setting.default])
  assert.deepEqual(written, real)
})

test('the table of figures has every figure with its labels, and no other', async (t) => {
  const { url, hub } = await startApp(t)
  await fetch(url)
  const socket = await connectSocket(t, url)
  socket.socket.close()
  await until(() => hub.size === 0) // so that there is one that has ended
  const page = await (await fetch(`${url}/metrics`)).text()
  const real = [...page.matchAll(/^# TYPE meanwhile_(\w+) \w+$/gm)].map(([, name]) => name!)
  const rows = rowsOf('Settings').filter(([name]) => /^[a-z]/.test(name!))
  assert.deepEqual(rows.map(([name]) => name).toSorted(), real.toSorted())
  for (const [name, labels] of rows) {
    const [line = ''] = new RegExp(`^meanwhile_${name}(_bucket)?[{ ].*`, 'm').exec(page) ?? []
    const found = [...line.matchAll(/(\w+)="/g)].map(([, label]) => label!)
    const own = found.filter((label) => label !== 'le') // every histogram has that one
    assert.equal(labels!.trim(), own.join(', '), name!)
  }
})

test('the table of options has every option of a task, and no other', () => {
  const written = rowsOf('Tasks').map(([name]) => name)
  const options = read('lib/definition.ts') + read('lib/plan.ts')
  const real = [...options.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name]) => name)
  const documented = real.filter((name) => name !== 'digest') // for handlers: see lib/request.ts
  assert.deepEqual(written.toSorted(), documented.toSorted())
})

test('what the README says of its speed stands in the results', () => {
  const results = read('bench/RESULTS.md').split('\n')
  const [, text = ''] = /^## How fast\n([^#]*)/m.exec(readme) ?? []
  const quoted = text.split('\n').filter((line) => line.startsWith('| '))
  assert.equal(quoted.length, 6, 'a head, its line, and four lines')
  for (const line of quoted) assert.ok(results.includes(line), line)
})

test('the table of routes has every route of the server, and no other', () => {
  const written = rowsOf('Routes').map(([route]) => route)
  const real = [...read('server.ts').matchAll(/^ {4}'([A-Z]+ \/\S*)':/gm)].map(([, route]) => route)
  assert.ok(real.length > 0)
  assert.deepEqual(written, real)
})

test('the README names each field and each state of a task', () => {
  const row = rowsOf('Routes')
    .find(([route]) => route === 'GET /tasks/:id')!
    .join()
  assert.ok(
    row.includes(
      [...read('lib/task.ts').matchAll(/^ {2}readonly (\w+):/gm)].map(([, name]) => name).join(' '),
    ),
  )
  for (const state of STATES) assert.ok(row.includes(`\`${state}\``), state)
})

test('the README names each error code and each type of message', () => {
  const protocol = read('lib/protocol.ts')
  const codes = protocol.match(/export type ErrorCode =([\s\S]*?)\n\n/)![1]!
  const names = [...codes.matchAll(/'(\w+)'/g), ...protocol.matchAll(/type: '(\w+)'/g)]
  assert.ok(names.length > 10)
  for (const [, name] of names) assert.match(readme, new RegExp(`\\b${name}\\b`))
})

test('the README names each close code of the hub', () => {
  const [, codes] = /Close codes: (.*)/.exec(readme)!
  for (const code of Object.values(CLOSE))
    assert.ok(codes!.includes(` ${code} `) || codes!.startsWith(`${code} `), String(code))
})

test('what has to pass runs the test command of the README', () => {
  const [, command] = /^(npm ci && .*npm test)\b/m.exec(readme)!
  assert.ok(read('.ci/run').includes(`\n${command}\n`))
})

test('each file that the README names is there', () => {
  for (const [, path] of readme.matchAll(/(?:\]\(|src(?:set)?=")([^):"]+)[)"]/g)) {
    const isFolder = /(^|\/)(jobs|lib|engines)$/.test(path!)
    if (!isFolder) assert.ok(read(path!).length > 0)
  }
})
