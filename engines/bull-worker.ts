// The tasks that this process does: a worker of BullMQ for each lane, with as many slots, and an attempt
// for each job that it gets. What becomes of the attempt, becomes of the job.

import { setTimeout as sleep } from 'node:timers/promises'
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Outcome } from '../lib/attempt.ts'
import type { TasksOptions } from '../lib/engines.ts'
import type { Kinds } from '../lib/kinds.ts'
import { Run } from '../lib/run.ts'
import { within } from '../lib/within.ts'
import { Attempts } from './bull-attempts.ts'
import { jobKey, PREFIX } from './bull-keys.ts'
import type { Lane } from './bull-lanes.ts'
import { workerOptions } from './bull-options.ts'
import {
  interrupted,
  type JobData,
  type Progress,
  policyFrom,
  type Returned,
} from './bull-record.ts'
import { Results } from './bull-results.ts'
import type { TaskClient } from './bull-scripts.ts'
import type { WaitingClient } from './redis.ts'

type WorkerClient = WaitingClient & TaskClient
type TaskJob = Job<JobData, Returned>

const ABORT_GRACE = 1_000 // milliseconds for aborted tasks to return
const SUSPECT_PAUSE = 200 // milliseconds before it runs again
const SUSPECT_AGAIN = 500 // milliseconds, until it is looked whether it can
const LOOK_EVERY = 10 // milliseconds, whether all is done
const CLOSE_TIME = 1_000 // milliseconds

export class TaskWorker {
  readonly #client: WorkerClient
  readonly #kinds: Kinds<Run>
  readonly #options: TasksOptions
  readonly #attempts: Attempts
  readonly #results: Results
  readonly #workers = new Map<string, Worker<JobData, Returned>>() // by lane
  #hasSuspect = false
  #phase: 'open' | 'holding' | 'stopped' | 'left' = 'open'

  /** `client` is its own; BullMQ makes copies of it, to wait on. */
  constructor(client: WorkerClient, kinds: Kinds<Run>, options: TasksOptions) {
    this.#client = client
    this.#kinds = kinds
    this.#options = options
    this.#attempts = new Attempts(options)
    this.#results = new Results(client)
  }

  /** Begins to do the tasks of a lane. A second call for the same lane does nothing. */
  serve({ name, slots }: Lane): void {
    if (slots === 0 || this.#workers.has(name) || this.#phase !== 'open') return
    const work = (job: TaskJob, token?: string) => this.#process(job, token!)
    const options = workerOptions(this.#client, slots, this.#options)
    const worker = new Worker<JobData, Returned>(name, work, options)
    worker.on('error', (error) => this.#complain(error))
    worker.on('stalled', (id) => this.#interrupted(name, id))
    worker.on('failed', (job) => job && this.#failed(job))
    this.#workers.set(name, worker)
  }

  /** The ids of those that run here. */
  get running(): string[] {
    return [...this.#attempts].map(({ id }) => id)
  }

  /** Why it does no work for now, if so. */
  get problem(): string | undefined {
    const { lane } = this.#kinds.plain
    const holders = [...this.#attempts].filter((run) => run.kind.lane === lane)
    const isFull = holders.length >= this.#options.concurrency
    const isStuck = isFull && holders.every((run) => run.verdict !== null)
    return isStuck ? 'every slot is held by a task that was told to stop and goes on' : undefined
  }

  /** One that may run here is cancelled. */
  cancel(id: string): void {
    this.#attempts.cancel(id)
  }

  /**
   * Begins no more, waits so many milliseconds for what runs, then aborts it. What has ended by that is
   * put back, as if it had not begun. What has not is left to the others, as all is after a crash.
   */
  async drain(milliseconds: number, isCrash: boolean): Promise<void> {
    this.#phase = 'holding'
    for (const worker of this.#workers.values()) void worker.pause(true)
    for (const waiting of this.#client.copies) waiting.disconnect() // for a task that is not to come
    const grace = Math.min(ABORT_GRACE, milliseconds / 10)
    if (await this.#isIdleWithin(milliseconds - grace)) return
    this.#phase = isCrash ? 'left' : 'stopped'
    this.#attempts.abort()
    if (await this.#isIdleWithin(grace)) return
    this.#phase = 'left'
    this.#attempts.leave()
    await this.#isIdleWithin(CLOSE_TIME)
  }

  /** Its connection may lead nowhere: tries to get another. */
  reconnect(): void {
    this.#client.disconnect(true)
  }

  async close(): Promise<void> {
    if (this.#phase === 'open') await this.drain(0, false)
    const workers = [...this.#workers.values()].map((worker) => worker.close(true))
    await within(CLOSE_TIME, Promise.allSettled(workers))
    this.#client.endAll()
    await this.#attempts.close()
  }

  // Also what was on its way is done. While Redis is away, nothing comes.
  async #isIdleWithin(milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds
    const isIdle = () => {
      if (this.#client.status !== 'ready') return this.running.length === 0
      return [...this.#workers.values()].every((worker) => !worker.isRunning())
    }
    while (!isIdle() && performance.now() < deadline) await sleep(LOOK_EVERY)
    return isIdle()
  }

  async #process(job: TaskJob, token: string): Promise<Returned> {
    const run = this.#runOf(job)
    const isAgain = job.attemptsMade + job.stalledCounter > 0
    if (isAgain && (await this.#isCancelled(run.id))) throw new UnrecoverableError('cancelled')
    if (job.stalledCounter > 0) return this.#processSuspect(run, job, token)
    if (!isAgain) run.kind.figures.wait.observe(waitOf(job))
    return this.#do(run, job, token)
  }

  // Its process was lost while it ran, maybe by its doing. Such tasks run one at a time, and not before
  // those that came with it are put back, so that it takes no other with it.
  async #processSuspect(run: Run, job: TaskJob, token: string): Promise<Returned> {
    if (this.#hasSuspect) {
      await job.moveToDelayed(Date.now() + SUSPECT_AGAIN * (1 + Math.random()), token)
      throw new DelayedError()
    }
    this.#hasSuspect = true
    try {
      await sleep(SUSPECT_PAUSE)
      await this.#client.hdel(jobKey(job.queueName, run.id), 'late', 'progress') // of the attempt before
      return await this.#do(run, job, token)
    } finally {
      this.#hasSuspect = false
    }
  }

  async #do(run: Run, job: TaskJob, token: string): Promise<Returned> {
    if (this.#phase !== 'open') return this.#putBack(job, token)
    const outcome = await this.#attempts.begin(run, {
      onProgress: () => this.#tell(job, run),
      // It says only that the function goes on.
      onLate: () => void this.#client.markLate(PREFIX, run.id).catch(() => {}),
    })
    try {
      return await this.#conclude(run, job, outcome, token)
    } finally {
      this.#attempts.end(run)
    }
  }

  #runOf({ id, name, data, opts, attemptsMade, timestamp }: TaskJob): Run {
    const { payload, owner, fields = {}, timeout } = data
    const kind = this.#kinds.find(name)
    const plan = { kind, name, owner, fields, payload, policy: policyFrom(opts, timeout) }
    const run = new Run(plan, false, id!, timestamp)
    run.attempt = attemptsMade + 1
    return run
  }

  async #conclude(run: Run, job: TaskJob, outcome: Outcome, token: string): Promise<Returned> {
    const { state, error, result = null, isFinal } = outcome
    const { figures } = run.kind
    if (state === 'aborted') return this.#putBack(job, token)
    if (state === 'succeeded') {
      figures.succeeded.add()
      return this.#results.keep(run.id, result)
    }
    const isLast = state === 'cancelled' || isFinal || run.attempt >= run.policy.attempts
    if (isLast) figures[state].add()
    else figures.retries.add()
    if (run.verdict?.state === 'failed') {
      // The next attempt is not late.
      await this.#client.hdel(jobKey(job.queueName, run.id), 'late')
    }
    const reason = JSON.stringify(error ?? {})
    const failure = isLast ? new UnrecoverableError(reason) : new Error(reason)
    throw Object.assign(failure, { stack: '' }) // the log has it
  }

  // What is left stays where it is, as one that was begun: its lock runs out.
  async #putBack(job: TaskJob, token: string): Promise<never> {
    if (this.#phase !== 'left') await job.moveToWait(token)
    throw new WaitingError()
  }

  // Not worth another try, nor to wait until Redis is back: what comes next is newer.
  #tell(job: TaskJob, { progress, note, attempt }: Run): void {
    if (this.#client.status !== 'ready') return
    const told: Progress = [progress!, note, attempt]
    job.updateProgress(told as never).catch(() => {})
  }

  async #isCancelled(id: string): Promise<boolean> {
    const found = (await this.#client.cancelledTasks(PREFIX, id)) as string[]
    return found.length > 0
  }

  // Of another process mostly, which has not been heard of since.
  async #interrupted(lane: string, id: string): Promise<void> {
    this.#options.log.warn('task interrupted', { task: id })
    const name = await this.#client.hget(jobKey(lane, id), 'name').catch(() => null)
    if (name !== null) this.#kinds.find(name).figures.interruptions.add()
  }

  #failed(job: TaskJob): void {
    const { id, name, data, stalledCounter, deferredFailure, finishedOn } = job
    if (finishedOn === undefined) return void this.#settle(id!)
    if (!deferredFailure) return
    const error = interrupted(stalledCounter)
    this.#kinds.find(name).figures.failed.add()
    this.#options.log.warn('task failed', { ...data.fields, task: id, name, error })
  }

  // Its attempt had failed already when the cancel was confirmed: so it waits for the next.
  async #settle(id: string): Promise<void> {
    try {
      if (!(await this.#isCancelled(id))) return
      await this.#client.cancelTask(PREFIX, id, this.#options.keep, '')
    } catch {
      // Redis is away: it is looked at again before the next attempt.
    }
  }

  // That Redis is away, `Health` says.
  #complain(error: Error): void {
    if ('code' in error || error.message === 'Connection is closed.') return
    this.#options.log.warn('a task was not as expected in Redis', { error })
  }
}

// Seconds, from when it could run.
function waitOf({ timestamp, data, processedOn = timestamp }: TaskJob): number {
  return Math.max(0, processedOn - timestamp - (data.delay ?? 0)) / 1_000
}
