// Paths that try to get at other files than the page’s (rows P).

import assert from 'node:assert/strict'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { request } from '../exchanges.ts'
import { exchange, startApp, temporaryFolder } from '../helpers.ts'
import { type Case, checkExchanges } from './exchanges.ts'
import { faultTest } from './fault.ts'

const get = (target: string) => request(`GET ${target} HTTP/1.1`)

const cases: Case[] = [
  ['P1: a way up', get('/../../etc/passwd'), 404],
  ['P1: a way up to our own files', get('/../package.json'), 404],
  ['P1: a way up in disguise', get('/%2e%2e/%2e%2e/etc/passwd'), 404],
  ['P2: slashes in disguise', get('/..%2f..%2fetc/passwd'), 404],
  ['P3: a double disguise', get('/%252e%252e/package.json'), 404],
  ['P4: backslashes in disguise', get('/..%5c..%5cwin.ini'), 404],
  ['P4: a drive', get('/C:/win.ini'), 404],
  ['P4: a scheme', get('/file:/etc/passwd'), 404],
  ['P5: a NUL', get('/%00'), 404],
  ['P5: a NUL in a name', get('/index.html%00.png'), 404],
  ['P6: a hidden file', get('/.env'), 404],
  ['P6: a hidden folder', get('/.git/config'), 404],
  ['P6: a file above the folder', get('/package.json'), 404],
  ['P6: the server itself', get('/server.ts'), 404],
  ['P6: types, which are not for browsers', get('/types.d.ts'), 404],
  ['P7: a folder beside it that begins like it', get('/../static-secret/x'), 404],
  ['P9: a folder', get('/panels'), 404],
  ['P9: a folder with a slash', get('/panels/'), 404],
  ['P9: two slashes ahead', get('//index.html'), 404],
  ['P9: a slash behind, as on each route', get('/index.html/'), 200],
  ['P10: a name of 300', get(`/${'a'.repeat(300)}`), 404],
]

checkExchanges(cases)

test('P11, P12: a file that is cut, removed or replaced later is sent as it was at the start', async (t) => {
  const files = await temporaryFolder(t)
  await writeFile(join(files, 'a.txt'), 'whole')
  await writeFile(join(files, 'b.txt'), 'whole')
  await writeFile(join(files, 'c.txt'), 'whole')
  const { url } = await startApp(t, {}, { files })

  await writeFile(join(files, 'a.txt'), '')
  await rm(join(files, 'b.txt'))
  await writeFile(join(files, 'new'), 'another')
  await rename(join(files, 'new'), join(files, 'c.txt'))

  for (const path of ['/a.txt', '/b.txt', '/c.txt']) {
    assert.match(await exchange(url, get(path)), /^HTTP\/1.1 200 [\s\S]*\r\n\r\nwhole$/)
  }
})

const types: [path: string, type: string][] = [
  ['/', 'text/html; charset=utf-8'],
  ['/app.js', 'text/javascript; charset=utf-8'],
  ['/style.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'image/svg+xml'],
]

faultTest('P13: each file has its type, and is nothing else', async ({ url }) => {
  for (const [path, type] of types) {
    const [head] = (await exchange(url, get(path))).split('\r\n\r\n')
    assert.ok(head!.includes(`\r\ncontent-type: ${type}\r\n`), path)
    assert.match(head!, /x-content-type-options: nosniff/)
  }
})
