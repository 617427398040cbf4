// The queue of tasks in Redis (7.0 or later), for all servers, on BullMQ: it keeps and hands out what is
// to be done. Any server accepts; those whose role it is do it. What a definition has no name for, a plain
// function, is done here, by the queue in this process.

import { setTimeout as sleep } from 'node:timers/promises'
import { QueueFullError } from '../lib/backlog.ts'
import type { Definition, Work } from '../lib/definition.ts'
import { digestOf } from '../lib/digest.ts'
import type { TasksOptions } from '../lib/engines.ts'
import { Kinds } from '../lib/kinds.ts'
import { type AddOptions, KeyReusedError, planOf, type RetryOptions } from '../lib/plan.ts'
import type { SharedTasks, Tasks } from '../lib/queue.ts'
import { bodyOf, typeOf } from '../lib/result.ts'
import { type Plan, Run } from '../lib/run.ts'
import type { ListOptions, Page } from '../lib/store.ts'
import type { Task } from '../lib/task.ts'
import { TaskEvents } from './bull-events.ts'
import { Holds } from './bull-holds.ts'
import { addOne, Intake } from './bull-intake.ts'
import { type Lane, Lanes } from './bull-lanes.ts'
import { listAll } from './bull-list.ts'
import { lockTime } from './bull-options.ts'
import { dataFrom, newId, type TaskRecord } from './bull-record.ts'
import { SCRIPTS, type TaskLink } from './bull-scripts.ts'
import { BullStore, type Counts } from './bull-store.ts'
import { TaskWorker } from './bull-worker.ts'
import { Pulse } from './pulse.ts'
import { RedisLink, waitingClient } from './redis.ts'

const LOOK_EVERY = 1_000 // milliseconds
const IDLE_EVERY = 20 // milliseconds

export function tasksOf(url: string, options: TasksOptions, local: Tasks): SharedTasks {
  return new RedisTasks(url, options, local)
}

class RedisTasks implements SharedTasks {
  readonly #url: string
  readonly #options: TasksOptions
  readonly #local: Tasks
  readonly #link: TaskLink
  readonly #store: BullStore
  readonly #kinds: Kinds<Run>
  readonly #lanes: Lanes
  readonly #holds: Holds
  readonly #intake: Intake
  readonly #pulse: Pulse
  #worker: TaskWorker | undefined
  #events: TaskEvents | undefined
  #isDraining = false
  #counts: Counts = { queued: 0, running: 0, age: 0 }

  constructor(url: string, options: TasksOptions, local: Tasks) {
    const { log, metrics, concurrency, threads } = options
    this.#url = url
    this.#options = options
    this.#local = local
    this.#holds = new Holds(lockTime(options))
    this.#link = new RedisLink(url, SCRIPTS, log)
    this.#store = new BullStore(this.#link, options)
    this.#intake = new Intake(this.#store)
    this.#kinds = new Kinds<Run>(concurrency, threads, metrics)
    this.#lanes = new Lanes(this.#link.commands, concurrency, threads, (lane) => this.#serve(lane))
    for (const definition of options.definitions) this.#lanes.ofKind(this.#kinds.of(definition))
    this.#pulse = new Pulse({
      every: LOOK_EVERY,
      beat: () => this.#look(),
      health: this.#link.health,
      reconnect: () => {
        this.#link.reconnect()
        this.#worker?.reconnect()
        this.#events?.reconnect()
      },
    })
    // In place of those of `local`, whose tasks all count as running.
    metrics.gauge('tasks_running', 'Tasks that run.', () => this.#counts.running + local.size)
    metrics.gauge('tasks_queued', 'Tasks that wait.', () => this.#counts.queued)
    metrics.gauge('task_oldest_seconds', 'Age of the first in line.', () => this.#counts.age)
  }

  async open(): Promise<void> {
    await this.#link.connect(async () => {
      if (this.#options.role !== 'web') {
        await this.#store.hearCancels((id) => this.#worker?.cancel(id))
      }
      await this.#look()
    })
    this.#pulse.start()
  }

  resume(): void {
    const { role, onChange } = this.#options
    this.#local.resume()
    if (role !== 'web') {
      this.#worker = new TaskWorker(waitingClient(this.#url, SCRIPTS), this.#kinds, this.#options)
    }
    if (role !== 'worker' && onChange) {
      const client = waitingClient(this.#url, {})
      this.#events = new TaskEvents(client, this.#store, this.#options, onChange)
    }
    for (const lane of this.#lanes) this.#serve(lane)
  }

  /** On all servers, as it was a second ago. */
  get size(): number {
    return this.#local.size + this.#counts.queued + this.#counts.running
  }

  get problem(): string | undefined {
    return this.#link.health.problem ?? this.#worker?.problem ?? this.#local.problem
  }

  async add(work: () => unknown): Promise<Task>
  async add<P>(work: Definition<P> | Work<P>, payload: P, options?: AddOptions): Promise<Task>
  async add<P>(work: Definition<P> | Work<P>, payload?: P, options?: AddOptions): Promise<Task> {
    if (typeof work === 'function') return this.#local.add(work, payload as P, options)
    const plan = planOf(this.#kinds, work, payload as P, options)
    this.#checkOpen()
    options?.after?.catch(() => {}) // until the task is in Redis nobody else listens to it
    return this.#store.ask(this.#accept(plan, options?.after))
  }

  async find(id: string, owner?: string): Promise<Task | undefined> {
    return (await this.#local.find(id, owner)) ?? this.#store.ask(this.#find(id, owner))
  }

  async list(options: ListOptions): Promise<Page> {
    return listAll(this.#local, this.#store, options)
  }

  async result(id: string): Promise<{ type: string; body: string | Uint8Array } | undefined> {
    if (await this.#local.find(id)) return this.#local.result(id)
    const result = await this.#store.ask(this.#store.result(id))
    return result === undefined ? undefined : { type: typeOf(result), body: bodyOf(result) }
  }

  async cancel(id: string): Promise<Task | undefined> {
    if (await this.#local.find(id)) return this.#local.cancel(id)
    const task = await this.#store.ask(this.#store.cancel(id))
    if (task?.state !== 'cancelled') return task // what runs is counted where it does
    this.#holds.drop(id)
    this.#kinds.find(task.name).figures.cancelled.add()
    return task
  }

  async retry(id: string, options: RetryOptions = {}): Promise<Task | undefined> {
    if (await this.#local.find(id)) return this.#local.retry(id, options)
    this.#checkOpen()
    options.after?.catch(() => {}) // see `add`
    return this.#store.ask(this.#revive(id, options))
  }

  /** On all servers. */
  async idle(): Promise<void> {
    for (;;) {
      await this.#local.idle()
      await this.#store.ask(this.#look())
      if (this.size === 0) return
      await sleep(IDLE_EVERY)
    }
  }

  async drain(milliseconds: number, isCrash = false): Promise<Task[]> {
    this.#isDraining = true
    const [lost] = await Promise.all([
      this.#local.drain(milliseconds, isCrash),
      this.#worker?.drain(milliseconds, isCrash),
    ])
    return lost
  }

  async close(): Promise<void> {
    this.#pulse.stop()
    this.#holds.close()
    this.#events?.close()
    await this.#worker?.close()
    this.#link.close()
  }

  // Of tasks with one key the first is kept, and BullMQ takes a job only once: who was not told that it
  // has been accepted may ask again.
  async #accept(plan: Plan, after?: Promise<unknown>): Promise<Task> {
    const { kind, owner = '', key } = plan
    const policy = plan.policy ?? kind.policy
    const lane = this.#lanes.ofKind(kind)
    const wait = after ? Math.max(policy.delay, this.#holds.delay) : policy.delay
    const who = { id: newId(lane.name), owner, key: keyOf(key), isFirst: policy.priority > 0 }
    const newcomer = { ...who, plan, policy, lane, wait }
    const entered = await this.#intake.enter(newcomer)
    const { id } = entered
    const known = entered.job ? undefined : await this.#store.find(id)
    if (known) return this.#repeat(known, plan)
    if (this.#lanes.ofTask(id) !== lane) throw new KeyReusedError() // by another definition
    const job = entered.job ?? (await addOne(newcomer, entered))
    const due = job.timestamp + policy.delay
    if (after) this.#holds.begin({ queue: lane.queue, id, due }, after)
    if (entered.job) kind.figures.accepted.add() // else by whoever had the key first
    const task = new Run(plan, false, id, job.timestamp).snapshot()
    if (key === undefined) return task
    await this.#store.arrived(id)
    const first = await this.#store.find(id) // by another server, maybe
    return first ? this.#repeat(first, plan) : task
  }

  async #find(id: string, owner?: string): Promise<Task | undefined> {
    const record = await this.#store.find(id)
    if (!record || (owner !== undefined && dataFrom(record).owner !== owner)) return undefined
    return this.#store.show(record)
  }

  async #revive(id: string, { after, key }: RetryOptions): Promise<Task | undefined> {
    const record = await this.#store.find(id)
    if (!record) return undefined
    const { owner = '' } = dataFrom(record)
    const wait = after ? this.#holds.delay : 0
    const answer = await this.#store.revive({ id, owner, key: keyOf(key) }, wait)
    if (answer === undefined) return undefined
    const task = await this.#find(id)
    if (answer === 'queued') {
      this.#kinds.find(record.name).figures.accepted.add()
      this.#holds.begin({ queue: this.#lanes.ofTask(id).queue, id, due: 0 }, after)
    }
    return task
  }

  async #repeat(known: TaskRecord, { digest }: Plan): Promise<Task> {
    if (dataFrom(known).digest !== digest) throw new KeyReusedError()
    return this.#store.show(known)
  }

  #serve(lane: Lane): void {
    this.#events?.follow(lane.name)
    this.#worker?.serve(lane)
  }

  #checkOpen(): void {
    if (this.#isDraining) throw new QueueFullError('the task queue is draining')
  }

  // A process that was away may not have heard of a cancel.
  async #look(): Promise<void> {
    this.#counts = await this.#store.look(this.#lanes.names)
    const running = this.#worker?.running ?? []
    for (const id of await this.#store.cancelled(running)) this.#worker?.cancel(id)
  }
}

function keyOf(key: string | undefined): string {
  return key === undefined ? '' : digestOf(key)
}
