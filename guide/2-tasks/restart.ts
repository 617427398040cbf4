// Starts a file as a program of its own, twice: the first run is killed, the second is a restart.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export function runTwice(module: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'guide-'))
  const env = { ...process.env, JOURNAL: join(folder, 'tasks.journal') }
  for (const run of ['first', 'second']) {
    const args = [...process.execArgv, fileURLToPath(module), run]
    const { signal, status } = spawnSync(process.execPath, args, { env, stdio: 'inherit' })
    if (signal) console.log(`       killed with ${signal}`)
    else process.exitCode = status ?? 1
  }
  rmSync(folder, { recursive: true })
}
