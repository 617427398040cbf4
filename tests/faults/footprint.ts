// What a process holds on to, so that a test can tell whether anything was left behind: timers (those
// that were unref'ed, too, of which Node itself keeps no list), sockets and other handles, file
// descriptors, and listeners on the process.

import { createHook } from 'node:async_hooks'
import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'

export type Footprint = Readonly<Record<string, number>>

const DESCRIPTORS = '/proc/self/fd' // Linux has it
const SETTLED = 10_000 // milliseconds: the longest that what was cut off may take to go

// Node's own, which forgets the text of the Date header after a second at most.
const isOfDate = ({ _onTimeout: { name } }: { _onTimeout: () => void }) => name === 'resetCache'

const timers = new Set<number>()
createHook({
  init(id, type, _cause, resource) {
    if (type === 'Timeout' && !isOfDate(resource as never)) timers.add(id)
  },
  destroy(id) {
    timers.delete(id)
  },
}).enable()

export function footprint(): Footprint {
  const found: Record<string, number> = { timers: timers.size, listeners: 0 }
  for (const name of process.eventNames()) found.listeners! += process.listenerCount(name)
  if (existsSync(DESCRIPTORS)) found.descriptors = readdirSync(DESCRIPTORS).length
  for (const kind of process.getActiveResourcesInfo()) {
    if (!/^(Timeout|Immediate)$/.test(kind)) found[kind] = (found[kind] ?? 0) + 1
  }
  return found
}

/** Waits until nothing is held that was not before. Throws what is still there after 10 s. */
export async function settle(before: Footprint, now: () => Footprint = footprint): Promise<void> {
  const deadline = performance.now() + SETTLED
  for (;;) {
    const left = Object.entries(now()).filter(([kind, count]) => count > (before[kind] ?? 0))
    if (left.length === 0) return
    if (performance.now() > deadline) {
      const list = left.map(([kind, count]) => `${kind}: ${before[kind] ?? 0} → ${count}`)
      throw new Error(`left behind: ${list.join(', ')}`)
    }
    await delay(2)
    await turn() // now that timer itself is over
  }
}
