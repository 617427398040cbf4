// A task as it is shown, wherever it is shown: one immutable snapshot for each change.

import { randomUUID } from 'node:crypto'
import { timestamp } from './clock.ts'
import type { Failure } from './errors.ts'
import { parseJson, toJson } from './json.ts'

export const STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const
export type State = (typeof STATES)[number]

/** Times are ISO 8601 in UTC. */
export interface Task {
  readonly id: string
  readonly name: string
  readonly state: State
  /** Asked to stop, and still running. */
  readonly cancelling: boolean
  /** Which attempt runs or ran, of so many `attempts`; 0 before the first. */
  readonly attempt: number
  readonly attempts: number
  /** 0 to 1. */
  readonly progress: number | null
  readonly note: string | null
  /** What the function returned, as JSON. */
  readonly result: unknown
  readonly error: Failure | null
  readonly createdAt: string
  /** When the next attempt is due, while one waits for its time. */
  readonly runAt: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
}

export function newTask(name: string): Task {
  return {
    id: randomUUID(),
    name,
    state: 'queued',
    cancelling: false,
    attempt: 0,
    attempts: 1,
    progress: null,
    note: null,
    result: null,
    error: null,
    createdAt: timestamp(),
    runAt: null,
    startedAt: null,
    endedAt: null,
  }
}

const MAX_RESULT_BYTES = 65_536

/**
 * What a function returned, made safe to keep: a copy, since the function may hold on to its own.
 * Throws for what JSON can't hold, or beyond 64 KiB or 32 levels of it.
 */
export function resultOf(returned: unknown): unknown {
  const text = toJson(returned) ?? 'null'
  if (Buffer.byteLength(text) <= MAX_RESULT_BYTES) return parseJson(text)
  throw new RangeError(`expected a result of at most ${MAX_RESULT_BYTES} bytes of JSON`)
}
