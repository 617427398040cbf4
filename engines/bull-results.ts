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
import type { TaskLink } from './bull-scripts.ts'
import { inTime } from './redis.ts'

const MAX_INLINE = 1_024 // bytes: BullMQ copies what a job returns into its stream of events

export class Results {
  readonly #link: TaskLink

  constructor(link: TaskLink) {
    this.#link = link
  }

  /** Gives what the job returns. `keep` is asked to write down what is not in that. */
  static async keep(
    result: Result,
    keep: (most: number, body: string | Buffer) => Promise<unknown>,
  ): Promise<Returned> {
    if (!isBinary(result) && sizeOf(result) <= MAX_INLINE) return { json: result ?? 'null' }
    await keep(MAX_HELD_BYTES, isBinary(result) ? Buffer.from(result.bytes) : result!)
    return { type: typeOf(result), bytes: sizeOf(result) }
  }

  /** Undefined: it is no longer kept. */
  async find(id: string, returned: Returned): Promise<Result | undefined> {
    if ('json' in returned) return returned.json === 'null' ? null : returned.json
    const bytes = await inTime(this.#link.commands.getBuffer(keyOf(id)))
    if (bytes === null) return undefined
    return returned.type === JSON_TYPE ? bytes.toString() : { type: returned.type, bytes }
  }

  /** As a task shows it. */
  async show(id: string, returned: Returned | undefined): Promise<unknown> {
    if (returned === undefined) return null
    const isApart = 'type' in returned
    if (!isApart || (returned.type === JSON_TYPE && returned.bytes <= MAX_SHOWN_BYTES)) {
      return shown((await this.find(id, returned)) ?? null)
    }
    return (await inTime(this.#link.commands.exists(keyOf(id)))) === 1 ? returned : null
  }
}

function keyOf(id: string): string {
  return `${PREFIX}:result:${id}`
}
