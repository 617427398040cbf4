// A queue of tasks for the tests of what all of them do: the one in this process, or, where the tests are
// run over another engine (see `engines/`), that one.

import { loadTasks } from '../lib/engines.ts'
import { Metrics } from '../lib/metrics.ts'
import {
  type AddOptions,
  type Definition,
  defineTask,
  TaskQueue,
  type TaskQueueOptions,
  type Tasks,
  type Work,
} from '../tasks.ts'
import { type Scope, silent, tasksUrl } from './basics.ts'

const BOUNDS = { concurrency: 8, capacity: 1_000, keep: 100, threads: 2, log: silent }

/** Whether tasks are in Redis. */
export const isShared = tasksUrl() !== undefined

/** For a test of what only the queue in this process does, and why. */
export function alone(why: string): { skip: string | false } {
  return { skip: isShared && why }
}

/** Closed when the test ends. */
export async function startQueue(
  t: Scope,
  options: Partial<TaskQueueOptions> = {},
): Promise<Tasks> {
  const { definitions = [], metrics = new Metrics() } = options
  const all = { ...BOUNDS, ...options, metrics }
  if (!isShared) return new TaskQueue(all)
  const { capacity, capacityPerOwner = capacity, blockedMs = 50 } = all
  const local = new TaskQueue({ ...all, definitions: [] })
  const rest = { role: 'all', lockSeconds: 30, capacityPerOwner, blockedMs, definitions } as const
  const shared = (await loadTasks(tasksUrl(), { ...all, ...rest }, local))!
  t.after(() => shared.close())
  await shared.open()
  shared.resume()
  return withNames(shared)
}

// What has no name gets one, so that it is done by the engine, not beside it.
function withNames(tasks: Tasks): Tasks {
  const named = new Map<unknown, Definition<unknown>>()
  const nameless = () => (named.size === 0 ? 'anonymous' : `anonymous-${named.size}`)
  const nameOf = (work: Work<unknown>): Definition<unknown> => {
    const definition = named.get(work) ?? defineTask(work.name || nameless(), work)
    named.set(work, definition)
    return definition
  }
  const add = (
    work: Definition<unknown> | Work<unknown>,
    payload?: unknown,
    options?: AddOptions,
  ) => tasks.add(typeof work === 'function' ? nameOf(work) : work, payload, options)
  return new Proxy(tasks, {
    get(target, property) {
      if (property === 'add') return add
      const value = Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
