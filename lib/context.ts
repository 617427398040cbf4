// What a task's function is given beside its payload.

import { setTimeout as sleep } from 'node:timers/promises'
import { checkNumber, MAX_TIMER } from './check.ts'
import { cut } from './errors.ts'
import type { Log } from './log.ts'

export interface TaskContext {
  readonly id: string
  /** 1 for the first. */
  readonly attempt: number
  /** Its lines carry the task's id and name, and the id of the request that added it. */
  readonly log: Log
  /** Aborts, with a reason, when the task should stop. A function that ignores it runs on. */
  readonly signal: AbortSignal
  /** Says how far it is, from 0 to 1, and on what (256 bytes). As often as it likes. */
  progress(fraction: number, note?: string): void
  /**
   * Waits so many milliseconds, 24.8 days at most. Rejects with an `AbortError` as soon as the signal
   * aborts.
   */
  sleep(milliseconds: number): Promise<void>
}

export interface ProgressListener {
  onProgress(fraction: number, note: string | null): void
}

const MAX_NOTE_BYTES = 256

/** The same from the side of whoever runs the function, and alone may abort it. */
export class AbortableContext implements TaskContext {
  readonly id: string
  readonly attempt: number
  readonly log: Log
  #listener: ProgressListener | undefined
  #controller: AbortController | undefined // made on first use: most tasks never ask
  #reason: Error | undefined

  constructor(id: string, attempt: number, log: Log, listener?: ProgressListener) {
    this.id = id
    this.attempt = attempt
    this.log = log
    this.#listener = listener
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

  // A task does not die of what it says here: what is no number is not told.
  progress(fraction: number, note?: string): void {
    if (typeof fraction !== 'number' || Number.isNaN(fraction)) return
    const text = typeof note === 'string' ? cut(note, MAX_NOTE_BYTES) : null
    this.#listener?.onProgress(Math.min(Math.max(fraction, 0), 1), text)
  }

  async sleep(milliseconds: number): Promise<void> {
    checkNumber('milliseconds', milliseconds, Number.NEGATIVE_INFINITY, MAX_TIMER)
    await sleep(milliseconds, undefined, { signal: this.signal })
  }

  abort(reason: Error): void {
    this.#reason ??= reason
    this.#controller?.abort(reason)
  }

  /** The attempt is over: what its function still says is not heard. */
  close(): void {
    this.#listener = undefined
  }
}
