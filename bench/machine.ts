// The machine that was measured on, and how much of it others had meanwhile.

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem, type } from 'node:os'

const before = busyTicks()

/** In words, with what was stolen since this process began. */
export function machine(): string {
  const gibibytes = Math.round(totalmem() / 2 ** 30)
  return `${availableParallelism()} × ${cpus()[0]?.model}, ${gibibytes} GiB, ${type()}${theft()}`
}

// A virtual machine is told when its processors were given to another one: that moves all figures.
function theft(): string {
  const after = busyTicks()
  if (!before || !after) return ''
  const share = (after.stolen - before.stolen) / (after.busy - before.busy)
  return `, ${(100 * share).toFixed(1)} % of whose time at work went to others (“steal”)`
}

// Undefined where the system does not count; its fields are in proc_stat(5).
function busyTicks(): { busy: number; stolen: number } | undefined {
  let stat: string
  try {
    stat = readFileSync('/proc/stat', 'utf8')
  } catch {
    return undefined
  }
  const [user, nice, system, , , irq, softIrq, stolen] = /^cpu +(.*)/
    .exec(stat)![1]!
    .split(' ')
    .map(Number)
  return { busy: user! + nice! + system! + irq! + softIrq! + stolen!, stolen: stolen! }
}
