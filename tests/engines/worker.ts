// A server with tasks that do what a worker has to bear: as a process of its own, to be killed.

import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { readSettings } from '../../lib/config.ts'
import { isMain, run } from '../../lib/process.ts'
import { createApp } from '../../server.ts'
import { defineTask, type TaskContext } from '../../tasks.ts'

/** Each attempt is a line in its file: the task, the process, the attempt. */
export interface Place {
  readonly file: string
}

export const tasks = {
  quick: defineTask('quick', write),
  short: defineTask('short', async (place: Place, context) => {
    write(place, context)
    await delay(50)
  }),
  long: defineTask('long', async (place: Place, context) => {
    write(place, context)
    await context.sleep(60_000)
  }),
  deaf: defineTask('deaf', async (place: Place, context) => {
    write(place, context)
    await new Promise(() => {})
  }),
  /** Takes the process down. */
  deadly: defineTask('deadly', (place: Place, context) => {
    write(place, context)
    process.kill(process.pid, 'SIGKILL')
  }),
  /** Holds up everything for so many milliseconds, the first time. */
  blocking: defineTask('blocking', ({ file, milliseconds }: Blocking, context) => {
    const end = performance.now() + (existsSync(file) ? 0 : milliseconds)
    write({ file }, context)
    while (performance.now() < end);
    return process.pid
  }),
}

interface Blocking extends Place {
  readonly milliseconds: number
}

function write({ file }: Place, { id, attempt }: TaskContext): void {
  appendFileSync(file, `${id} ${process.pid} ${attempt}\n`)
}

export const definitions = Object.values(tasks)

/** How this file is run. */
export const PROGRAM = ['--import', 'tsx', 'tests/engines/worker.ts']

if (isMain(import.meta.url)) {
  await run(() => createApp(readSettings(), { definitions }))
}
