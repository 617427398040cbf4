// A task from the inside: what changes on its way to its end, what of it the journal keeps, and the
// snapshot that others see.

import { timestamp } from './clock.ts'
import type { Work } from './definition.ts'
import type { Failure } from './errors.ts'
import type { Kind, Policy } from './kinds.ts'
import type { Fields } from './log.ts'
import { isBinary, type Result, shown } from './result.ts'
import type { State, Task } from './task.ts'

/** How an attempt ends, whatever its function still returns: by a confirmed cancel or a timeout. */
export interface Verdict {
  readonly state: 'failed' | 'cancelled'
  readonly error: Failure | null
}

/** What changes. Each is written to the journal as it is, so none is ever undefined. */
export interface Changing {
  state: State
  attempt: number
  /** Attempts that a crash of the process ended. */
  interruptions: number
  verdict: Verdict | null
  result: Result
  error: Failure | null
  /** The `key` of each retry, the last 16 of them. */
  retryKeys: readonly string[]
  /** A result or a payload is no longer kept, or could not be: bytes are not in the journal. */
  isGone: boolean
  /** Milliseconds since 1970. */
  runAt: number | null
  startedAt: number | null
  endedAt: number | null
}

/** What changes when a task that has ended is to run again. */
export const AS_NEW = {
  state: 'queued',
  attempt: 0,
  interruptions: 0,
  verdict: null,
  error: null,
  runAt: null,
  startedAt: null,
  endedAt: null,
} as const satisfies Omit<Changing, 'result' | 'isGone' | 'retryKeys'>

/** What is fixed when the task is accepted. */
interface Fixed {
  readonly id: string
  readonly name: string
  readonly owner?: string | undefined
  readonly payload?: string | undefined
  /** Only where it differs from the definition's. */
  readonly policy?: Policy | undefined
  readonly fields: Fields
  readonly key?: string | undefined
  readonly digest?: string | undefined
  readonly createdAt: number
}

/** A task as the journal has it: all that a restart brings back. */
export type Saved = Fixed & Partial<Changing>

interface CurrentAttempt {
  start(): void
  abort(reason: Error): void
}

export interface Plan {
  readonly kind: Kind<Run>
  readonly name: string
  readonly owner?: string | undefined
  readonly fields: Fields // of the log lines of whoever added it
  /** A definition's payload as JSON. */
  readonly payload?: string | undefined
  /** A plain function, and what it is called with. */
  readonly work?: Work<never> | undefined
  readonly input?: unknown
  readonly policy?: Policy | undefined
  readonly key?: string | undefined
  readonly digest?: string | undefined
}

const NO_KEYS: readonly string[] = [] // one for all: 100,000 may wait

export class Run implements Changing {
  readonly id: string
  readonly name: string
  readonly owner: string | undefined
  readonly isJournaled: boolean
  readonly fields: Fields
  readonly key: string | undefined
  readonly digest: string | undefined
  readonly createdAt: number
  kind: Kind<Run>
  policy: Policy
  payload: string | undefined
  work: Work<never> | undefined
  input: unknown

  state: State = 'queued'
  attempt = 0
  interruptions = 0
  verdict: Verdict | null = null
  result: Result = null
  error: Failure | null = null
  retryKeys = NO_KEYS
  isGone = false
  runAt: number | null = null
  startedAt: number | null = null
  endedAt: number | null = null

  progress: number | null = null
  note: string | null = null
  current: CurrentAttempt | undefined // the attempt under way
  /** Counts the tasks as they come. */
  number = 0
  /** Counts its ways into the line, so that one that was called off can be told. */
  turn = 0
  timer: NodeJS.Timeout | undefined // of a delay, then of a timeout
  /** When it could have run. `performance.now()`. */
  readyAt = 0
  /** What the journal has been told already, and is not so yet. */
  foretold: Partial<Changing> | undefined
  /** A change that is not over before the disk has it. */
  pending: Promise<unknown> | undefined

  constructor(plan: Plan, hasJournal: boolean, id: string, createdAt: number = Date.now()) {
    this.id = id
    this.name = plan.name
    this.owner = plan.owner
    this.kind = plan.kind
    this.isJournaled = hasJournal && plan.kind.definition !== undefined
    this.policy = plan.policy ?? plan.kind.policy
    this.fields = plan.fields
    this.payload = plan.payload
    this.work = plan.work
    this.input = plan.input
    this.key = plan.key
    this.digest = plan.digest
    this.createdAt = createdAt
    if (this.policy.delay > 0) this.runAt = createdAt + this.policy.delay
  }

  static restore(saved: Saved, kind: Kind<Run>): Run {
    const { id, name, owner, payload, policy, fields, key, digest, createdAt, ...changing } = saved
    const plan = { kind, name, owner, fields, payload, policy, key, digest }
    const run = new Run(plan, true, id, createdAt)
    if (saved.state === 'succeeded') run.payload = undefined
    run.take(changing)
    return run
  }

  get hasEnded(): boolean {
    return this.endedAt !== null
  }

  /** Bytes of its payload, while that is kept. */
  get payloadBytes(): number {
    return this.payload === undefined ? 0 : Buffer.byteLength(this.payload)
  }

  /** Its name has another definition now, or one at last. */
  become(kind: Kind<Run>): void {
    if (this.policy === this.kind.policy) this.policy = kind.policy
    this.kind = kind
  }

  /** Field by field: `Object.assign` takes ten times as long, and every task changes twice. */
  take(change: Partial<Changing>): void {
    if (change.state !== undefined) this.state = change.state
    if (change.attempt !== undefined) this.attempt = change.attempt
    if (change.interruptions !== undefined) this.interruptions = change.interruptions
    if (change.verdict !== undefined) this.verdict = change.verdict
    if (change.result !== undefined) this.result = change.result
    if (change.error !== undefined) this.error = change.error
    if (change.retryKeys !== undefined) this.retryKeys = change.retryKeys
    if (change.isGone !== undefined) this.isGone = change.isGone
    if (change.runAt !== undefined) this.runAt = change.runAt
    if (change.startedAt !== undefined) this.startedAt = change.startedAt
    if (change.endedAt !== undefined) this.endedAt = change.endedAt
  }

  fixed(): Fixed {
    const { id, name, owner, payload, fields, key, digest, createdAt } = this
    const policy = this.policy === this.kind.policy ? undefined : this.policy
    return { id, name, owner, payload, policy, fields, key, digest, createdAt }
  }

  /** As if the attempt had not been. */
  uncounted(): Partial<Changing> {
    return { state: 'queued', attempt: this.attempt - 1, startedAt: null, endedAt: null }
  }

  present(): Changing {
    const { state, attempt, interruptions, verdict, result, error, retryKeys, isGone } = this
    const { runAt, startedAt, endedAt } = this
    const times = { runAt, startedAt, endedAt }
    return { state, attempt, interruptions, verdict, result, error, retryKeys, isGone, ...times }
  }

  /** The whole of it for the journal. */
  saved(): Saved {
    return { ...this.fixed(), ...asSaved({ ...this.present(), ...this.foretold }) }
  }

  snapshot(): Task {
    return {
      id: this.id,
      name: this.name,
      state: this.state,
      cancelling: this.state === 'running' && this.verdict !== null,
      attempt: this.attempt,
      attempts: this.policy.attempts,
      progress: this.progress,
      note: this.note,
      result: this.isGone ? null : shown(this.result),
      error: this.error,
      createdAt: timestamp(this.createdAt),
      runAt: iso(this.runAt),
      startedAt: iso(this.startedAt),
      endedAt: iso(this.endedAt),
    }
  }
}

/** A change as the journal keeps it: of bytes only that there were some. */
export function asSaved<T extends Partial<Changing>>(change: T): T {
  return isBinary(change.result) ? { ...change, result: null, isGone: true } : change
}

function iso(milliseconds: number | null): string | null {
  return milliseconds === null ? null : timestamp(milliseconds)
}
