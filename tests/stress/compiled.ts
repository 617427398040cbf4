// The server's own code without its types, for tests that start it often: through `tsx` a start takes
// three times as long.

import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Scope, spawnProgram } from '../helpers.ts'

const ROOT = join(import.meta.dirname, '../..')
const PROGRAMS = ['server.ts', 'tests/stress/faulty-fs.ts']
const OPTIONS = `--ignoreConfig --noCheck --module nodenext --target es2023 --types node
  --allowImportingTsExtensions --rewriteRelativeImportExtensions --rootDir .`

export class Compiled {
  /** `server.js` in it is `server.ts`. */
  readonly folder: string

  /** For `make`. */
  constructor(folder: string) {
    this.folder = folder
  }

  static async make(): Promise<Compiled> {
    const folder = await mkdtemp(join(tmpdir(), 'meanwhile-'))
    const options = [...OPTIONS.split(/\s+/), '--outDir', folder]
    execFileSync('node_modules/.bin/tsc', [...options, ...PROGRAMS], { cwd: ROOT })
    for (const name of ['node_modules', 'static', 'package.json']) {
      await symlink(join(ROOT, name), join(folder, name))
    }
    return new Compiled(folder)
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true })
  }

  /**
   * A program that has the server's parts at hand. `options` are Node's; `command` is what starts Node,
   * with its path at the end.
   */
  spawn(
    t: Scope,
    env: NodeJS.ProcessEnv,
    code: string,
    options: readonly string[] = [],
    command: readonly string[] = [],
  ) {
    const program = `
      import { setTimeout as delay } from 'node:timers/promises'
      import { readSettings } from '${this.folder}/lib/config.js'
      import { createLog } from '${this.folder}/lib/log.js'
      import { run } from '${this.folder}/lib/process.js'
      import { json } from '${this.folder}/lib/reply.js'
      import { behind } from '${this.folder}/lib/task-routes.js'
      import { createApp } from '${this.folder}/server.js'
      import { defineTask } from '${this.folder}/tasks.js'
      ${code}`
    const args = [...options, '--input-type=module', '--eval', program]
    return this.#spawn(t, env, args, command)
  }

  /** The server itself. */
  start(
    t: Scope,
    env: NodeJS.ProcessEnv,
    options: readonly string[] = [],
    command: readonly string[] = [],
  ) {
    return this.#spawn(t, env, [...options, join(this.folder, 'server.js')], command)
  }

  #spawn(
    t: Scope,
    env: NodeJS.ProcessEnv,
    args: readonly string[],
    [shell, ...before]: readonly string[],
  ) {
    return spawnProgram(t, { PORT: '0', ...env }, [...before, ...args], shell)
  }
}
