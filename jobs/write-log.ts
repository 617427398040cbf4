// The job of `POST /process`: some seconds of simulated work, then a line in a file. Lines that are
// ready at the same time are written together.

import { appendFile } from 'node:fs/promises'
import { together } from '../lib/together.ts'
import { type Definition, defineTask, type TaskContext, type Work } from '../tasks.ts'

export interface Entry {
  /** Without its line feed. */
  readonly line: string
  /** So many first attempts throw. */
  readonly fail: number
}

const STEPS = 20 // at most: after each it says how far it is
const SHORTEST = 50 // milliseconds: more often nobody is told

export function writeLog(file: string, seconds: number): Definition<Entry> {
  const milliseconds = seconds * 1_000
  const append = together((lines: readonly string[]) => appendFile(file, lines.join('')))
  const steps = Math.min(STEPS, Math.ceil(milliseconds / SHORTEST))
  const work: Work<Entry> = async ({ line, fail }, context) => {
    if (steps > 1) await pretend(milliseconds, steps, context)
    else if (steps === 1) await context.sleep(milliseconds)
    if (context.attempt <= fail) throw new Error(`attempt ${context.attempt} fails, as asked for`)
    await append(`${line}\n`)
  }
  return defineTask('write-log', work, { attempts: 3 })
}

// Each step has its time counted from the start, so that what comes late does not add up.
async function pretend(milliseconds: number, steps: number, context: TaskContext): Promise<void> {
  const start = performance.now()
  for (let step = 1; step <= steps; step++) {
    const due = start + (milliseconds * step) / steps
    await context.sleep(Math.ceil(due - performance.now()))
    context.progress(step / steps)
  }
}
