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
  /** Makes it, and does nothing yet. */
  busOf(url: string, options: BusOptions): BusOf
}

/** The bus behind a URL. Rejects with a `SettingsError` if its packages are not installed. */
export async function loadBus(
  url: string | undefined,
  options: BusOptions,
): Promise<BusOf | undefined> {
  if (url === undefined) return undefined
  const { busOf } = (await load(`${url.startsWith('redis') ? 'redis' : 'amqp'}-bus`)) as BusModule
  return busOf(url, options)
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
