// The server's own code without its types, for tests that start it often: through `tsx` a start takes
// three times as long.

import { execFileSync } from 'node:child_process'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Scope, temporaryFolder } from '../helpers.ts'

const ROOT = join(import.meta.dirname, '../..')
const PROGRAMS = ['server.ts', 'tests/stress/faulty-fs.ts']
const OPTIONS = `--ignoreConfig --noCheck --module nodenext --target es2023 --types node
  --allowImportingTsExtensions --rewriteRelativeImportExtensions --rootDir .`

/** Resolves to the folder: `server.js` in it is `server.ts`. */
export async function compileServer(t: Scope): Promise<string> {
  const folder = await temporaryFolder(t)
  const options = [...OPTIONS.split(/\s+/), '--outDir', folder]
  execFileSync('node_modules/.bin/tsc', [...options, ...PROGRAMS], { cwd: ROOT })
  for (const name of ['node_modules', 'static', 'package.json']) {
    await symlink(join(ROOT, name), join(folder, name))
  }
  return folder
}
