// What a task's function is given beside its payload.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'

export interface TaskContext {
  readonly id: string
  /** 1 for the first run. */
  readonly attempt: number
  /** Its lines carry the task's id and name, and the id of the request that added it. */
  readonly log: Log
  /** Aborts, with a reason, when the task should stop. A function that ignores it runs on. */
  readonly signal: AbortSignal
  /** Waits so many milliseconds. Rejects with an `AbortError` as soon as the signal aborts. */
  sleep(milliseconds: number): Promise<void>
}

/** The same from the side of the queue, which alone may abort. */
export class AbortableContext implements TaskContext {
  readonly id: string
  readonly attempt: number
  readonly log: Log
  #controller: AbortController | undefined // made on first use: most tasks never ask
  #reason: Error | undefined

  constructor(id: string, attempt: number, log: Log) {
    this.id = id
    this.attempt = attempt
    this.log = log
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  get isAborted(): boolean {
    return this.#reason !== undefined
  }

  async sleep(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.signal })
  }

  abort(reason: Error): void {
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
