// What is on its way to a broker and not confirmed yet, with a bound in bytes and one in time.

import { unavailable } from '../lib/bus.ts'
import { within } from '../lib/within.ts'

const MAX_BYTES = 64 * 1_048_576

export class Bounded {
  readonly #patience: number
  #bytes = 0

  /** Milliseconds for a confirmation. */
  constructor(patience: number) {
    this.#patience = patience
  }

  /** Resolves to what `send` does. Rejects as it does, and with a `ProtocolError` at a bound. */
  async send<T>(bytes: number, send: () => Promise<T>): Promise<T> {
    if (this.#bytes + bytes > MAX_BYTES) throw unavailable('too much is on its way')
    this.#bytes += bytes
    const sent = send().finally(() => {
      this.#bytes -= bytes // and not before, though nobody waits for so long
    })
    if (await within(this.#patience, sent)) return sent
    sent.catch(() => {})
    throw unavailable('no confirmation in time')
  }
}
