// A task as BullMQ keeps it, and as it is shown: what goes into a job, and what a job's fields mean.

import { randomUUID } from 'node:crypto'
import type { JobsOptions } from 'bullmq'
import { timestamp } from '../lib/clock.ts'
import type { Failure } from '../lib/errors.ts'
import type { Policy } from '../lib/kinds.ts'
import type { Fields } from '../lib/log.ts'
import type { Plan } from '../lib/run.ts'
import type { State, Task } from '../lib/task.ts'
import { USUAL_PRIORITY } from './bull-admission.ts'

/** A job's `data`. */
export interface JobData {
  /** JSON. */
  readonly payload?: string | undefined
  readonly owner?: string | undefined
  readonly fields?: Fields
  readonly digest?: string | undefined
  readonly timeout?: number | undefined
  readonly delay?: number | undefined
}

/** A job's `returnvalue`: JSON as text, or what of it is kept apart. */
export type Returned = { readonly json: string } | { readonly type: string; readonly bytes: number }

/** How far it is, on what, and in which attempt: a job's `progress`. */
export type Progress = readonly [fraction: number, note: string | null, attempt: number]

/** Of a job's hash: all but the last two are BullMQ's. */
export const FIELDS = (
  'name data opts timestamp progress processedOn finishedOn ' +
  'failedReason returnvalue atm stc cancelled late'
).split(' ')

export interface TaskRecord {
  readonly id: string
  readonly state: State
  /** When it may run, as BullMQ has it: see its `getDelayedScore`. */
  readonly due: string | null
  readonly name: string
  readonly data: string
  readonly opts: string
  readonly timestamp: string
  readonly progress: string | null
  readonly processedOn: string | null
  readonly finishedOn: string | null
  readonly failedReason: string | null
  readonly returnvalue: string | null
  /** Attempts made. */
  readonly atm: string | null
  /** How often its process was lost. */
  readonly stc: string | null
  readonly cancelled: string | null
  readonly late: string | null
}

/** `values`: what the scripts return of a task. */
export function recordOf(values: readonly (string | null)[]): TaskRecord {
  const entries = ['id', 'state', 'due', ...FIELDS].map((field, i) => [field, values[i] ?? null])
  return Object.fromEntries(entries) as TaskRecord
}

/** Made by the server that accepts it: 64 random bits, and its lane. Short, since it is in many keys. */
export function newId(lane: string): string {
  const uuid = randomUUID()
  return `${BigInt(`0x${uuid.slice(0, 8)}${uuid.slice(-8)}`)
    .toString(36)
    .padStart(13, '0')}-${lane}`
}

/** Whether it may be one that was made here. */
export function isId(id: string): boolean {
  return /^[0-9a-z]{13}-(any|threads|own\..{1,32})$/.test(id)
}

// Short, since Redis keeps what has up to 64 bytes far better: nothing is in it that says nothing.
export function dataOf({ payload, owner, fields, digest }: Plan, policy: Policy): JobData {
  const { timeout, delay } = policy
  const hasFields = Object.keys(fields).length > 0
  return { payload, owner, digest, timeout, ...(hasFields && { fields }), ...(delay && { delay }) }
}

/** `wait`: milliseconds before it may be done. `isSorted`: its lane has priorities. */
export function jobOptions(
  id: string,
  { attempts, backoff, priority }: Policy,
  wait: number,
  isSorted: boolean,
): JobsOptions {
  const hasPriority = isSorted || priority !== 0
  return {
    jobId: id,
    ...(hasPriority && { priority: USUAL_PRIORITY - priority }),
    ...(attempts > 1 && { attempts, backoff: { type: 'custom', delay: backoff } }),
    ...(wait > 0 && { delay: wait }),
  }
}

export function policyFrom({ attempts, backoff }: JobsOptions, timeout?: number): Policy {
  const delay = typeof backoff === 'object' ? (backoff.delay ?? 0) : 0
  return { attempts: attempts || 1, backoff: delay, timeout, delay: 0, priority: 0 }
}

export function dataFrom({ data }: TaskRecord): JobData {
  return JSON.parse(data)
}

/** What is kept of the result. Undefined: it has none. */
export function returnedFrom({ state, returnvalue }: TaskRecord): Returned | undefined {
  return state === 'succeeded' && returnvalue ? JSON.parse(returnvalue) : undefined
}

/** `result`: as it is shown. */
export function taskFrom(record: TaskRecord, result: unknown): Task {
  const { id, name, state, timestamp: created, processedOn, finishedOn, failedReason } = record
  const isRunning = state === 'running'
  const made = Number(record.atm)
  const attempt = made + (isRunning ? 1 : 0)
  const [progress, note] = progressFrom(record, attempt)
  const hasFailed = state === 'failed' || state === 'queued'
  return {
    id,
    name,
    state,
    cancelling: isRunning && (record.cancelled ?? record.late) !== null,
    attempt,
    attempts: (JSON.parse(record.opts) as JobsOptions).attempts || 1,
    progress,
    note,
    result,
    error: hasFailed && failedReason ? failureFrom(failedReason, record.stc) : null,
    createdAt: iso(created)!,
    runAt: iso(runAtOf(record, made)),
    startedAt: iso(processedOn),
    endedAt: iso(finishedOn),
  }
}

function progressFrom({ progress, state }: TaskRecord, attempt: number) {
  const told: Progress | undefined = progress === null ? undefined : JSON.parse(progress)
  const isOld = state === 'queued' || told?.[2] !== attempt
  return told && !isOld ? ([told[0], told[1]] as const) : ([null, null] as const)
}

// While it waits for a delay or another attempt, not while it waits for a reply.
function runAtOf(record: TaskRecord, made: number): number | null {
  if (record.due === null) return null
  if (made > 0) return Math.floor(Number(record.due) / 4_096)
  const runAt = Number(record.timestamp) + (dataFrom(record).delay ?? 0)
  return runAt > Date.now() ? runAt : null
}

function failureFrom(reason: string, stalls: string | null): Failure {
  return reason.startsWith('{') ? JSON.parse(reason) : interrupted(stalls)
}

/** What a task has failed of whose process was lost too often. */
export function interrupted(times: string | number | null): Failure {
  const message = `the process died ${times} times while the task ran`
  return { name: 'InterruptedError', message }
}

function iso(milliseconds: string | number | null): string | null {
  return milliseconds === null ? null : timestamp(Number(milliseconds))
}
