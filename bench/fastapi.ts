// The command of the FastAPI server, where it is installed.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const PYTHON = '/usr/bin/python3'

/** Undefined: FastAPI, or what makes it fast, is missing, and it takes part in no contest. */
export const fastApi: string[] | undefined = isInstalled()
  ? [PYTHON, join(import.meta.dirname, 'fastapi-server.py')]
  : undefined

function isInstalled(): boolean {
  try {
    const imports = 'import fastapi, uvicorn, uvloop, httptools, wsproto'
    execFileSync(PYTHON, ['-c', imports], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
