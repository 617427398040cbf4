// Tasks come in together: one question to Redis for all that came in one turn of the event loop, whether
// there is room, and one pipeline with those for which there is.

import { setImmediate as turn } from 'node:timers/promises'
import type { Job, Queue } from 'bullmq'
import type { Policy } from '../lib/kinds.ts'
import type { Plan } from '../lib/run.ts'
import type { Lane } from './bull-lanes.ts'
import { dataOf, jobOptions } from './bull-record.ts'
import { type Admitted, type Applicant, ASK_TIME, type BullStore } from './bull-store.ts'

export interface Newcomer extends Applicant {
  readonly plan: Plan
  readonly policy: Policy
  readonly lane: Lane
  /** Milliseconds before it may be done. */
  readonly wait: number
}

/** Without a job it was there before, or is on its way, under its key. */
export interface Entered extends Admitted {
  readonly job?: Job
}

interface Entry {
  readonly newcomer: Newcomer
  readonly asked: number // `performance.now()`
  entered?: Entered
}

const AT_ONCE = 25 // so that this process works on some while Redis does on others

export class Intake {
  readonly #store: BullStore
  #batch: { readonly entries: Entry[]; readonly done: Promise<void> } | undefined // of this turn

  constructor(store: BullStore) {
    this.#store = store
  }

  /** Rejects if there is no room. */
  async enter(newcomer: Newcomer): Promise<Entered> {
    const entry: Entry = { newcomer, asked: performance.now() }
    this.#batch ??= this.#begin()
    const { entries, done } = this.#batch
    if (entries.push(entry) === AT_ONCE) this.#batch = undefined
    await done
    this.#store.checkRoom(entry.entered!.id)
    return entry.entered!
  }

  #begin() {
    const entries: Entry[] = []
    const done = turn().then(() => {
      if (this.#batch?.entries === entries) this.#batch = undefined
      return this.#enterAll(entries)
    })
    return { entries, done }
  }

  async #enterAll(entries: readonly Entry[]): Promise<void> {
    const admitted = await this.#store.admit(entries.map(({ newcomer }) => newcomer))
    const queues = new Map<Queue, Entry[]>()
    for (const [i, entry] of entries.entries()) {
      entry.entered = admitted[i]!
      if (entry.entered.id !== entry.newcomer.id) continue
      const { queue } = entry.newcomer.lane
      const some = queues.get(queue)
      if (some) some.push(entry)
      else queues.set(queue, [entry])
    }
    // Whoever asked longest ago has been told that nobody knows: then rather not.
    if (performance.now() - entries[0]!.asked > ASK_TIME) throw new Error('Redis was too slow')
    await Promise.all([...queues].map(([queue, some]) => add(queue, some)))
  }
}

/** One of which BullMQ may have heard already: then it has no effect. */
export function addOne(
  { plan, policy, lane, wait }: Newcomer,
  { id, isSorted }: Admitted,
): Promise<Job> {
  const options = jobOptions(id, policy, wait, isSorted)
  return lane.queue.add(plan.name, dataOf(plan, policy), options)
}

async function add(queue: Queue, entries: readonly Entry[]): Promise<void> {
  const jobs = await queue.addBulk(
    entries.map(({ newcomer: { plan, policy, wait }, entered }) => ({
      name: plan.name,
      data: dataOf(plan, policy),
      opts: jobOptions(entered!.id, policy, wait, entered!.isSorted),
    })),
  )
  for (const [i, entry] of entries.entries()) entry.entered = { ...entry.entered!, job: jobs[i]! }
}
