// What tasks have returned: short JSON in their job, where BullMQ has it; the rest beside it, within a
// bound for all, of which the oldest are let go.

import {
  isBinary,
  JSON_TYPE,
  MAX_HELD_BYTES,
  MAX_SHOWN_BYTES,
  type Result,
  shown,
  sizeOf,
  typeOf,
} from '../lib/result.ts'
import { PREFIX } from './bull-keys.ts'
import type { Returned } from './bull-record.ts'
import type { TaskClient } from './bull-scripts.ts'

const MAX_INLINE = 1_024 // bytes: BullMQ copies what a job returns into its stream of events

export class Results {
  readonly #client: TaskClient

  constructor(client: TaskClient) {
    this.#client = client
  }

  /** Resolves to what the job returns, once the rest is written down. */
  async keep(id: string, result: Result): Promise<Returned> {
    if (!isBinary(result) && sizeOf(result) <= MAX_INLINE) return { json: result ?? 'null' }
    const body = isBinary(result) ? Buffer.from(result.bytes) : result!
    await this.#client.keepResult(PREFIX, id, MAX_HELD_BYTES, body)
    return { type: typeOf(result), bytes: sizeOf(result) }
  }

  /** Undefined: it is no longer kept. */
  async find(id: string, returned: Returned): Promise<Result | undefined> {
    if ('json' in returned) return returned.json === 'null' ? null : returned.json
    const bytes = await this.#client.getBuffer(keyOf(id))
    if (bytes === null) return undefined
    return returned.type === JSON_TYPE ? bytes.toString() : { type: returned.type, bytes }
  }

  /** As a task shows it. */
  async show(id: string, returned: Returned | undefined): Promise<unknown> {
    if (returned === undefined) return null
    const isWhole =
      'json' in returned || (returned.type === JSON_TYPE && returned.bytes <= MAX_SHOWN_BYTES)
    if (isWhole) return shown((await this.find(id, returned)) ?? null)
    return (await this.#client.exists(keyOf(id))) === 1 ? returned : null
  }
}

function keyOf(id: string): string {
  return `${PREFIX}:result:${id}`
}
