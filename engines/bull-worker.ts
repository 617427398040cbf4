// The tasks that this process does: a worker of BullMQ for each lane, with as many slots, and an attempt
// for each job that it gets. What becomes of the attempt, becomes of the job.

import { setTimeout as sleep } from 'node:timers/promises'
import {
  DelayedError,
  type Job,
  UnrecoverableError,
  WaitingError,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import type { Outcome } from '../lib/attempt.ts'
import type { TasksOptions } from '../lib/engines.ts'
import type { Kinds } from '../lib/kinds.ts'
import { backoffAfter } from '../lib/retry.ts'
import { Run } from '../lib/run.ts'
import { within } from '../lib/within.ts'
import { Attempts } from './bull-attempts.ts'
import { jobKey, PREFIX } from './bull-keys.ts'
import type { Lane } from './bull-lanes.ts'
import {
  interrupted,
  type JobData,
  type Progress,
  policyFrom,
  type Returned,
} from './bull-record.ts'
import { Results } from './bull-results.ts'
import type { WaitingClient } from './bull-scripts.ts'

type TaskJob = Job<JobData, Returned>

const MAX_INTERRUPTIONS = 5
const ABORT_GRACE = 1_000 // milliseconds for aborted tasks to return
const SUSPECT_PAUSE = 200 // milliseconds before it runs again
const SUSPECT_AGAIN = 500 // milliseconds, until it is looked whether it can
const CLOSE_TIME = 1_000 // milliseconds

export class TaskWorker {
  readonly #client: WaitingClient
  readonly #kinds: Kinds<Run>
  readonly #options: TasksOptions
  readonly #attempts: Attempts
  readonly #workers = new Map<string, Worker<JobData, Returned>>() // by lane
  #hasSuspect = false
  #phase: 'open' | 'holding' | 'stopped' | 'crashed' = 'open'

  /** `client` is its own; BullMQ makes copies of it, to wait on. */
  constructor(client: WaitingClient, kinds: Kinds<Run>, options: TasksOptions) {
    this.#client = client
    this.#kinds = kinds
    this.#options = options
    this.#attempts = new Attempts(options)
  }

  /** Begins to do the tasks of a lane. Twice is once. */
  serve({ name, slots }: Lane): void {
    if (slots === 0 || this.#workers.has(name) || this.#phase !== 'open') return
    const work = (job: TaskJob, token?: string) => this.#process(job, token!)
    const options = workerOptions(this.#client, slots, this.#options)
    const worker = new Worker<JobData, Returned>(name, work, options)
    worker.on('error', (error) => this.#complain(error))
    worker.on('stalled', (id) => this.#interrupted(name, id))
    worker.on('failed', (job) => job?.deferredFailure && this.#givenUp(job))
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
    const isStuck = holders.length >= lane.free && holders.every((run) => run.verdict !== null)
    return isStuck ? 'every slot is held by a task that was told to stop and goes on' : undefined
  }

  /** One that may run here is cancelled. */
  cancel(id: string): void {
    this.#attempts.cancel(id)
  }

  /**
   * Begins no more, waits so many milliseconds for what runs, then aborts it. What has ended by that is
   * put back, as if it had not begun; after a crash the others find out that it was interrupted.
   */
  async drain(milliseconds: number, isCrash: boolean): Promise<void> {
    this.#phase = 'holding'
    for (const worker of this.#workers.values()) void worker.pause(true)
    const grace = Math.min(ABORT_GRACE, milliseconds / 10)
    if (await within(milliseconds - grace, this.#attempts.none())) return
    this.#phase = isCrash ? 'crashed' : 'stopped'
    this.#attempts.abort()
    await within(grace, this.#attempts.none())
  }

  /** Its connection may lead nowhere: tries to get another. */
  reconnect(): void {
    this.#client.disconnect(true)
  }

  /** What still runs is left to the others. */
  async close(): Promise<void> {
    const workers = [...this.#workers.values()]
    await within(CLOSE_TIME, Promise.all(workers.map((worker) => worker.close(true))))
    await this.#attempts.close()
    this.#client.disconnect()
  }

  async #process(job: TaskJob, token: string): Promise<Returned> {
    const run = this.#runOf(job)
    const isAgain = job.attemptsMade + job.stalledCounter > 0
    if (isAgain && (await this.#isCancelled(run.id))) throw new UnrecoverableError('cancelled')
    if (job.stalledCounter > 0) return this.#processSuspect(run, job, token)
    if (!isAgain) measureWait(run, job)
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
      return await this.#do(run, job, token)
    } finally {
      this.#hasSuspect = false
    }
  }

  async #do(run: Run, job: TaskJob, token: string): Promise<Returned> {
    if (this.#phase !== 'open') return this.#putBack(job, token)
    const outcome = await this.#attempts.begin(run, {
      onProgress: () => tell(job, run),
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
      return Results.keep(result, (...kept) => this.#client.keepResult(PREFIX, run.id, ...kept))
    }
    const isLast = state === 'cancelled' || isFinal || run.attempt >= run.policy.attempts
    if (isLast) figures[state].add()
    else figures.retries.add()
    if (run.verdict?.state === 'failed') {
      await this.#client.hdel(jobKey(job.queueName, run.id), 'late')
    }
    const reason = JSON.stringify(error ?? {})
    const failure = isLast ? new UnrecoverableError(reason) : new Error(reason)
    throw Object.assign(failure, { stack: '' }) // the log has it
  }

  // Only a crash leaves it where it is, as one that was begun: its lock runs out.
  async #putBack(job: TaskJob, token: string): Promise<never> {
    if (this.#phase === 'crashed') return new Promise(() => {})
    await job.moveToWait(token)
    throw new WaitingError()
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

  #givenUp({ id, name, data, stalledCounter }: TaskJob): void {
    const error = interrupted(stalledCounter)
    this.#kinds.find(name).figures.failed.add()
    this.#options.log.warn('task failed', { ...data.fields, task: id, name, error })
  }

  // That Redis is away, `Health` says.
  #complain(error: Error): void {
    if ('code' in error || error.message === 'Connection is closed.') return
    this.#options.log.warn('a task was not as expected in Redis', { error })
  }
}

function workerOptions(
  connection: WaitingClient,
  concurrency: number,
  { lockSeconds, keep }: TasksOptions,
): WorkerOptions {
  const lock = Math.ceil(lockSeconds * 1_000) // Redis takes whole milliseconds only
  return {
    connection,
    prefix: PREFIX,
    concurrency,
    skipVersionCheck: true,
    lockDuration: lock,
    stalledInterval: Math.ceil(lock / 3),
    maxStalledCount: MAX_INTERRUPTIONS - 1,
    runRetryDelay: 1_000,
    removeOnComplete: { count: keep },
    removeOnFail: { count: keep },
    settings: {
      backoffStrategy: (made, _type, _error, job) =>
        Math.ceil(backoffAfter(made, policyFrom(job!.opts).backoff)),
    },
  }
}

function measureWait({ kind, createdAt }: Run, { data, processedOn = createdAt }: TaskJob): void {
  const waited = processedOn - createdAt - (data.delay ?? 0)
  kind.figures.wait.observe(Math.max(0, waited) / 1_000)
}

// Not worth another try: what comes next is newer.
function tell(job: TaskJob, { progress, note, attempt }: Run): void {
  const told: Progress = [progress!, note, attempt]
  job.updateProgress(told as never).catch(() => {})
}
