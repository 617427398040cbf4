// What Redis is asked about tasks. Who asks for somebody outside puts the whole question into `ask`: an
// answer within 0.8 s, or an `UnavailableError`.

import { QueueFullError, QuotaExceededError } from '../lib/backlog.ts'
import type { TasksOptions } from '../lib/engines.ts'
import { UnavailableError } from '../lib/errors.ts'
import type { Changed } from '../lib/ledger.ts'
import { KeyReusedError } from '../lib/plan.ts'
import type { Result } from '../lib/result.ts'
import type { ListOptions } from '../lib/store.ts'
import type { Task } from '../lib/task.ts'
import { PREFIX } from './bull-keys.ts'
import { dataFrom, isId, recordOf, returnedFrom, type TaskRecord, taskFrom } from './bull-record.ts'
import { Results } from './bull-results.ts'
import type { TaskLink } from './bull-scripts.ts'
import { inTime } from './redis.ts'

export interface Counts {
  readonly queued: number
  readonly running: number
  /** Seconds since the first in line was accepted. */
  readonly age: number
}

/** A task that asks to be accepted. */
export interface Applicant {
  readonly id: string
  readonly owner: string
  readonly key: string
  /** It goes before those without a priority. */
  readonly isFirst?: boolean
}

export interface Admitted {
  /** Another one's, if the key has one. */
  readonly id: string
  /** Its lane has priorities. */
  readonly isSorted: boolean
}

interface Numbered {
  readonly number: number
  readonly record: TaskRecord
}

type Values = (string | null)[]

const REFUSALS = [QueueFullError, QuotaExceededError, KeyReusedError]
/** Milliseconds for all that one question takes. */
export const ASK_TIME = 800
const SEARCH_TIME = 400 // milliseconds for one page; then it may be short

export class BullStore {
  readonly #link: TaskLink
  readonly #options: TasksOptions
  readonly #results: Results
  readonly #channel: string

  constructor(link: TaskLink, options: TasksOptions) {
    this.#link = link
    this.#options = options
    this.#results = new Results(link.commands)
    this.#channel = `${PREFIX}:${link.commands.options.db ?? 0}:cancel` // channels know no databases
  }

  async ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await inTime(answer, ASK_TIME)
    } catch (cause) {
      if (REFUSALS.some((refusal) => cause instanceof refusal)) throw cause
      this.#link.refused(cause)
      throw new UnavailableError('the tasks are in Redis, which does not answer', { cause })
    }
  }

  /** Of each its id, or why it is refused: see `checkRoom`. */
  async admit(applicants: readonly Applicant[]): Promise<Admitted[]> {
    const { capacity, capacityPerOwner } = this.#options
    const asked = applicants.flatMap(({ id, owner, key, isFirst }) => [
      id,
      owner,
      key,
      isFirst ? 1 : 0,
    ])
    const answering = this.#link.commands.admitTasks(PREFIX, capacity, capacityPerOwner, ...asked)
    const answers = (await inTime(answering, ASK_TIME)) as string[]
    return answers.map((answer) => {
      const [id = '', sorted] = answer.split(' ')
      return { id, isSorted: sorted === '1' }
    })
  }

  /** To be called when BullMQ has a task that was admitted with a key. */
  async arrived(id: string): Promise<void> {
    await this.#link.commands.del(`${PREFIX}:coming:${id}`)
  }

  async read(ids: readonly string[]): Promise<TaskRecord[]> {
    const values = (await this.#link.commands.readTasks(PREFIX, ...ids)) as Values[]
    return values.map(recordOf)
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    return isId(id) ? (await this.read([id]))[0] : undefined
  }

  /**
   * The newest first, below a number, and one more than fits on a page, if there is one. `next`: where the
   * search goes on that took too long.
   */
  async page({ owner = '', name = '', state, limit }: ListOptions, after: number) {
    const found: Numbered[] = []
    const started = performance.now()
    let next = after
    while (next > 0 && found.length <= limit && performance.now() - started < SEARCH_TIME) {
      const rest = limit + 1 - found.length
      const answer = this.#link.commands.listTasks(PREFIX, owner, name, state ?? '', rest, next)
      const [below, some] = (await answer) as [string, [string, Values][]]
      for (const [number, values] of some) {
        found.push({ number: Number(number), record: recordOf(values) })
      }
      next = Number(below)
    }
    return { found, next }
  }

  async show(record: TaskRecord): Promise<Task> {
    return taskFrom(record, await this.#results.show(record.id, returnedFrom(record)))
  }

  /** Undefined: it has none, or it is no longer kept. */
  async result(id: string): Promise<Result | undefined> {
    const record = await this.find(id)
    const returned = record && returnedFrom(record)
    return returned && this.#results.find(id, returned)
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

  /** Undefined if it is unknown or had ended. */
  async cancel(id: string): Promise<Task | undefined> {
    if (!isId(id)) return undefined
    const { keep } = this.#options
    const values = await this.#link.commands.cancelTask(PREFIX, id, keep, this.#channel)
    return values === null ? undefined : this.show(recordOf(values as Values))
  }

  /** `listener` is called with the id of a task that runs and is cancelled. */
  async hearCancels(listener: (id: string) => void): Promise<void> {
    this.#link.events.removeAllListeners('message').on('message', (_, id) => listener(id))
    await inTime(this.#link.events.subscribe(this.#channel))
  }

  /** What has failed is queued again, after so many milliseconds. Rejects if there is no room. */
  async revive(
    { id, owner, key }: Applicant,
    wait: number,
  ): Promise<'queued' | 'known' | undefined> {
    const { capacity, capacityPerOwner } = this.#options
    const bounds = [PREFIX, capacity, capacityPerOwner] as const
    const answer = await this.#link.commands.reviveTask(...bounds, id, owner, key, wait)
    this.checkRoom(answer as string)
    return answer === 'not over' ? undefined : (answer as 'queued' | 'known')
  }

  async look(lanes: Iterable<string>): Promise<Counts> {
    const answer = await inTime(this.#link.commands.lookAtTasks(PREFIX, ...lanes))
    const [queued, running, age] = answer as [number, number, number]
    return { queued, running, age: age / 1_000 }
  }

  /** Of those ids, the ones of which a cancel was confirmed. */
  async cancelled(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    return (await inTime(this.#link.commands.cancelledTasks(PREFIX, ...ids))) as string[]
  }

  /** Throws if the answer says that there is none. */
  checkRoom(answer: string): void {
    const { capacity, capacityPerOwner } = this.#options
    if (answer === 'full') throw new QueueFullError(`the task queue is full (${capacity} tasks)`)
    if (answer !== 'quota') return
    throw new QuotaExceededError(`expected at most ${capacityPerOwner} tasks of one owner`)
  }
}
