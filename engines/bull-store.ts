// What Redis is asked about tasks: one question, one answer within a second, or an `UnavailableError`.

import { QueueFullError, QuotaExceededError } from '../lib/backlog.ts'
import type { TasksOptions } from '../lib/engines.ts'
import { describeError, UnavailableError } from '../lib/errors.ts'
import type { Changed } from '../lib/ledger.ts'
import { KeyReusedError } from '../lib/plan.ts'
import type { Result } from '../lib/result.ts'
import type { ListOptions } from '../lib/store.ts'
import type { Task } from '../lib/task.ts'
import { together } from '../lib/together.ts'
import { PREFIX } from './bull-keys.ts'
import { dataFrom, recordOf, returnedFrom, type TaskRecord, taskFrom } from './bull-record.ts'
import { Results } from './bull-results.ts'
import type { TaskLink } from './bull-scripts.ts'
import { inTime } from './redis.ts'

export interface Counts {
  readonly queued: number
  readonly running: number
  /** Milliseconds since the oldest that waits was accepted. */
  readonly age: number
}

/** A task that asks to be accepted. */
export interface Applicant {
  readonly id: string
  readonly owner: string
  readonly key: string
}

interface Numbered {
  readonly number: number
  readonly record: TaskRecord
}

type Values = (string | null)[]

const REFUSALS = [QueueFullError, QuotaExceededError, KeyReusedError]
const PATIENCE = 800 // milliseconds for all that one question takes

export class TaskStore {
  readonly #link: TaskLink
  readonly #options: TasksOptions
  readonly #results: Results
  readonly #admit: (one: Applicant & { answer?: string }) => Promise<void>

  constructor(link: TaskLink, options: TasksOptions) {
    this.#link = link
    this.#options = options
    this.#results = new Results(link)
    this.#admit = together(async (batch) => {
      const { capacity, capacityPerOwner } = options
      const asked = batch.flatMap(({ id, owner, key }) => [id, owner, key])
      const admitting = link.commands.admitTasks(PREFIX, capacity, capacityPerOwner, ...asked)
      const answers = await inTime(admitting, PATIENCE)
      for (const [i, answer] of (answers as string[]).entries()) batch[i]!.answer = answer
    })
  }

  /** Rejects with an `UnavailableError` for whatever goes wrong with Redis. */
  async ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await inTime(answer, PATIENCE)
    } catch (cause) {
      if (REFUSALS.some((refusal) => cause instanceof refusal)) throw cause
      // `OOM`: it is there, and takes nothing. Whoever runs it should know.
      if (/^(OOM|MISCONF|READONLY)/.test(describeError(cause).message)) {
        this.#link.health.failed(cause)
      }
      throw new UnavailableError('the tasks are in Redis, which does not answer', { cause })
    }
  }

  /** The id that it has: another one's, if the key has one. Rejects if there is no room. */
  async admit(applicant: Applicant): Promise<string> {
    const one: Applicant & { answer?: string } = { ...applicant }
    const asked = performance.now()
    await this.#admit(one)
    // Whoever asked has been told that nobody knows: then rather not.
    if (performance.now() - asked > PATIENCE) throw new Error('Redis was too slow')
    this.#checkRoom(one.answer!)
    return one.answer!
  }

  async read(ids: readonly string[]): Promise<TaskRecord[]> {
    const values = (await this.#link.commands.readTasks(PREFIX, ...ids)) as Values[]
    return values.map(recordOf)
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    const [record] = await this.read([id])
    return record
  }

  /** The newest first, below a number, and one more than fits on a page, if there is one. */
  async page({ owner = '', name = '', state, limit, after = Infinity }: ListOptions) {
    const found: Numbered[] = []
    let below = after
    while (below > 0 && found.length <= limit) {
      const rest = limit + 1 - found.length
      const answer = this.#link.commands.listTasks(PREFIX, owner, name, state ?? '', rest, below)
      const [next, some] = (await answer) as [string, [string, Values][]]
      for (const [number, values] of some) {
        found.push({ number: Number(number), record: recordOf(values) })
      }
      below = Number(next)
    }
    return found
  }

  async show(record: TaskRecord): Promise<Task> {
    return taskFrom(record, await this.#results.show(record.id, returnedFrom(record)))
  }

  /** Undefined: it has none, or it is no longer kept. */
  async result(record: TaskRecord): Promise<Result | undefined> {
    const returned = returnedFrom(record)
    return returned && this.#results.find(record.id, returned)
  }

  /** Tasks that have changed. */
  async changed(ids: readonly string[]): Promise<Changed[]> {
    const records = await this.read(ids)
    return Promise.all(
      records.map(async (record) => {
        const task = await this.show(record)
        return { id: task.id, owner: dataFrom(record).owner, snapshot: () => task }
      }),
    )
  }

  /** Whether it had not ended. */
  async cancel(id: string, channel: string): Promise<boolean> {
    const { keep } = this.#options
    return (await this.#link.commands.cancelTask(PREFIX, id, keep, channel)) !== null
  }

  /** What has failed is queued again, after so many milliseconds. Rejects if there is no room. */
  async revive(
    { id, owner, key }: Applicant,
    wait: number,
  ): Promise<'queued' | 'known' | undefined> {
    const { capacity, capacityPerOwner } = this.#options
    const bounds = [PREFIX, capacity, capacityPerOwner] as const
    const answer = await this.#link.commands.reviveTask(...bounds, id, owner, key, wait)
    this.#checkRoom(answer as string)
    return answer === 'not over' ? undefined : (answer as 'queued' | 'known')
  }

  async look(lanes: Iterable<string>): Promise<Counts> {
    const answer = await inTime(this.#link.commands.lookAtTasks(PREFIX, ...lanes))
    const [queued, running, age] = answer as [number, number, number]
    return { queued, running, age }
  }

  /** Of those ids, the ones of which a cancel was confirmed. */
  async cancelled(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    return (await inTime(this.#link.commands.cancelledTasks(PREFIX, ...ids))) as string[]
  }

  #checkRoom(answer: string): void {
    const { capacity, capacityPerOwner } = this.#options
    if (answer === 'full') throw new QueueFullError(`the task queue is full (${capacity} tasks)`)
    if (answer !== 'quota') return
    throw new QuotaExceededError(`expected at most ${capacityPerOwner} tasks of one owner`)
  }
}
