import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileRoutes } from '../lib/files.ts'
import { temporaryFolder } from './basics.ts'

test('P8, P11: only plain files of known types, in the folder and below it, become routes', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'deep/.hidden'), { recursive: true })
  for (const name of ['index.html', 'deep/app.js', '.env', 'deep/.hidden/a.js', 'notes.json']) {
    await writeFile(join(folder, name), name)
  }
  await symlink('/etc/passwd', join(folder, 'link.html'))
  execFileSync('mkfifo', [join(folder, 'pipe.html')]) // reading it would never end

  const routes = fileRoutes(folder)

  assert.deepEqual(Object.keys(routes).toSorted(), ['GET /', 'GET /deep/app.js', 'GET /index.html'])
})

test('a folder that is not there is refused', () => {
  assert.throws(() => fileRoutes('/no/such/folder'), /ENOENT/)
})
