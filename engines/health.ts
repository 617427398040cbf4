// Whether a broker can be used for now. Told once in the log when that changes: never what it is asked,
// nor its URL, which may have a password.

import { describeError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'

export class Health {
  readonly #name: string
  readonly #log: Log
  #problem: string | undefined

  constructor(name: string, log: Log) {
    this.#name = name
    this.#log = log
    this.#problem = `${name} has not answered yet`
  }

  /** Why it can't be used, if so. */
  get problem(): string | undefined {
    return this.#problem
  }

  failed(error: unknown): void {
    const isNews = this.#problem !== `${this.#name} is away`
    this.#problem = `${this.#name} is away`
    if (isNews) this.#log.warn(this.#problem, { reason: describeError(error).message })
  }

  answered(): void {
    if (this.#problem !== undefined) this.#log.info(`${this.#name} answers`)
    this.#problem = undefined
  }
}
