// The job of `POST /process`: some seconds of simulated work, then a line in a file.

import { appendFile } from 'node:fs/promises'
import { type Definition, defineTask, type Work } from '../tasks.ts'

export interface Entry {
  /** Without its line feed. */
  readonly line: string
  /** So many first attempts throw. */
  readonly fail: number
}

export function writeLog(file: string, seconds: number): Definition<Entry> {
  const work: Work<Entry> = async ({ line, fail }, context) => {
    await context.sleep(seconds * 1_000)
    if (context.attempt <= fail) throw new Error(`attempt ${context.attempt} fails, as asked for`)
    await appendFile(file, `${line}\n`)
  }
  return defineTask('write-log', work, { attempts: 3 })
}
