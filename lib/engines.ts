// The engines beside the embedded ones, chosen by a setting. They are a package of their own (`engines/`),
// loaded only when they are asked for, so that nobody else has to install them.

import type { BusOf } from './bus.ts'
import { type Role, SettingsError } from './config.ts'
import type { Definition } from './definition.ts'
import { isObject } from './json.ts'
import type { Changed } from './ledger.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { SharedTasks, Tasks } from './queue.ts'

export interface BusOptions {
  readonly log: Log
  /** Rooms that exist at the same time, over all servers. */
  readonly maxRooms: number
  /** Messages that a room keeps. */
  readonly history: number
}

interface BusModule {
  /** Makes it, and does nothing yet. */
  busOf(url: string, options: BusOptions): BusOf
}

export interface TasksOptions {
  readonly role: Role
  /** Tasks queued and running, over all servers. */
  readonly capacity: number
  readonly capacityPerOwner: number
  /** Finished tasks that each lane remembers: so many that succeeded, and so many that did not. */
  readonly keep: number
  /** Slots of this process, and its threads. */
  readonly concurrency: number
  readonly threads: number
  readonly blockedMs: number
  /** Seconds without a sign of life of a process, after which its tasks are done elsewhere. */
  readonly lockSeconds: number
  readonly definitions: readonly Definition<never>[]
  readonly log: Log
  readonly metrics: Metrics
  /** Called at each change of a task, wherever it is done, as long as `isWatched`. */
  readonly onChange?: (changed: Changed) => void
  readonly isWatched?: () => boolean
}

interface TasksModule {
  /** `local` does the plain functions, which no other process can know. Does nothing yet. */
  tasksOf(url: string, options: TasksOptions, local: Tasks): SharedTasks
}

/** The bus behind a URL. Rejects with a `SettingsError` if its packages are not installed. */
export async function loadBus(
  url: string | undefined,
  options: BusOptions,
): Promise<BusOf | undefined> {
  if (url === undefined) return undefined
  const name = url.startsWith('redis') ? 'redis-bus' : 'amqp-bus'
  const { busOf } = (await load('BUS_URL', name)) as BusModule
  return busOf(url, options)
}

/** The tasks behind a URL. Rejects with a `SettingsError` if its packages are not installed. */
export async function loadTasks(
  url: string | undefined,
  options: TasksOptions,
  local: Tasks,
): Promise<SharedTasks | undefined> {
  if (url === undefined) return undefined
  const { tasksOf } = (await load('TASKS_URL', 'redis-tasks')) as TasksModule
  return tasksOf(url, options, local)
}

async function load(variable: string, name: string): Promise<unknown> {
  try {
    return await import(new URL(`../engines/${name}.ts`, import.meta.url).href)
  } catch (cause) {
    if (!isObject(cause) || cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new SettingsError(
      `${variable} needs packages that are not installed: npm --prefix engines ci`,
      { cause },
    )
  }
}
