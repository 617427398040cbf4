// A task as it is shown, wherever it is shown: an immutable snapshot.

import type { Failure } from './errors.ts'

export const STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type State = (typeof STATES)[number]

/** Times are ISO 8601 in UTC. */
export interface Task {
  readonly id: string
  readonly name: string
  readonly state: State
  /** Asked to stop, or past its timeout, and still running. */
  readonly cancelling: boolean
  /** Which attempt runs or ran, of so many `attempts`; 0 before the first. */
  readonly attempt: number
  readonly attempts: number
  /** 0 to 1. */
  readonly progress: number | null
  readonly note: string | null
  /** What the function returned: JSON, or `{ type, bytes }` for bytes and for over 64 KiB of JSON. */
  readonly result: unknown
  /** Why it failed, or the attempt before did. */
  readonly error: Failure | null
  readonly createdAt: string
  /** When the next attempt is due, while a delay or a retry waits. */
  readonly runAt: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
}
