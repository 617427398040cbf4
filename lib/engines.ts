// The engines beside the embedded ones, chosen by a setting. They are a package of their own (`engines/`),
// loaded only when they are asked for, so that nobody else has to install them.

import type { BusOf } from './bus.ts'
import { SettingsError } from './config.ts'
import { isObject } from './json.ts'
import type { Log } from './log.ts'

export interface BusOptions {
  readonly log: Log
  /** Rooms that exist at the same time, over all servers. */
  readonly maxRooms: number
  /** Messages that a room keeps. */
  readonly history: number
}

interface BusModule {
  openBus(url: string, options: BusOptions): Promise<BusOf>
}

/**
 * The bus behind a URL. Rejects with a `SettingsError` if its packages are not installed, or if the broker refuses
 * the password. One that is away is waited for: meanwhile the server is not ready.
 */
export async function openBus(
  url: string | undefined,
  options: BusOptions,
): Promise<BusOf | undefined> {
  if (url === undefined) return undefined
  const name = /^redis/.test(url) ? 'redis-bus' : 'amqp-bus'
  const { openBus } = (await load(name)) as BusModule
  return openBus(url, options)
}

async function load(name: string): Promise<unknown> {
  try {
    return await import(new URL(`../engines/${name}.ts`, import.meta.url).href)
  } catch (cause) {
    if (!isObject(cause) || cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new SettingsError(
      'BUS_URL needs packages that are not installed: npm --prefix engines ci',
      { cause },
    )
  }
}
