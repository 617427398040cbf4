// The task queue: accepts work, runs it after the reply, a few at a time, and remembers how it ended.
//
//     add ─▶ queued: journal, `after`, delay, in line for a slot ─▶ running ─▶ succeeded
//               ▲                                                     ├──────▶ failed
//               └────────── backoff, or the process has died ◀────────┴──────▶ cancelled
//
// It promises: what was accepted runs, not before `after` is over, whatever becomes of the reply; with
// a journal also after a crash, at least once; a task that throws disturbs nobody; a state never says
// more than has happened; everything has a bound; `drain` ends inside its deadline. It does not promise
// exactly once: nobody can, so a task should be such that a second run does no harm.

import { Backlog, QueueFullError } from './lib/backlog.ts'
import type { Definition, Work } from './lib/definition.ts'
import type { Commit } from './lib/journal-commit.ts'
import { Kinds } from './lib/kinds.ts'
import { closed, Ledger } from './lib/ledger.ts'
import type { Log } from './lib/log.ts'
import { Metrics } from './lib/metrics.ts'
import { type AddOptions, KeyReusedError, planOf, type RetryOptions } from './lib/plan.ts'
import type { Tasks } from './lib/queue.ts'
import { checkQueueOptions, type TaskQueueOptions } from './lib/queue-options.ts'
import { bodyOf, typeOf } from './lib/result.ts'
import { AS_NEW, Run } from './lib/run.ts'
import { Runner } from './lib/runner.ts'
import type { ListOptions, Page } from './lib/store.ts'
import type { Task } from './lib/task.ts'
import { within } from './lib/within.ts'

export { QueueFullError, QuotaExceededError } from './lib/backlog.ts'
export type { TaskContext } from './lib/context.ts'
export { type Definition, defineTask, type Work } from './lib/definition.ts'
export { UnavailableError } from './lib/errors.ts'
export { type AddOptions, KeyReusedError } from './lib/plan.ts'
export type { Tasks } from './lib/queue.ts'
export type { TaskQueueOptions } from './lib/queue-options.ts'
export { NonRetryableError } from './lib/retry.ts'
export type { State, Task } from './lib/task.ts'

const ABORT_GRACE = 1_000 // milliseconds for aborted tasks to return

/**
 * Runs tasks in the background.
 *
 *     const tasks = new TaskQueue({ concurrency: 8, capacity: 1_000, keep: 1_000, log })
 *     const task = await tasks.add(() => sendMail(address), undefined, { after: request.replied })
 */
export class TaskQueue implements Tasks {
  readonly #log: Log
  readonly #kinds: Kinds<Run>
  readonly #ledger: Ledger
  readonly #backlog: Backlog
  readonly #runner: Runner
  readonly #restored: Run[]
  #isDraining = false

  /** Throws a `RangeError` for a bound that is none, a `TypeError` for a name that is taken. */
  constructor(options: TaskQueueOptions) {
    const { concurrency, capacity, capacityPerOwner = capacity, log } = options
    const { threads = 1, blockedMs = 50, metrics = new Metrics() } = options
    checkQueueOptions(options)
    const kinds = new Kinds<Run>(concurrency, threads, metrics)
    const ledger = new Ledger({ ...options, metrics })
    const backlog = new Backlog(capacity, capacityPerOwner, metrics)
    this.#log = log
    this.#kinds = kinds
    this.#ledger = ledger
    this.#backlog = backlog
    this.#runner = new Runner({ ledger, backlog, kinds, log, metrics, blockedMs })
    for (const definition of options.definitions ?? []) kinds.of(definition)
    this.#restored = ledger.restore(kinds)
    for (const run of this.#restored) backlog.enter(run)
  }

  /** Tasks queued and running. */
  get size(): number {
    return this.#backlog.size
  }

  /**
   * Accepts a definition or a plain function, synchronous or not (a synchronous one blocks the event
   * loop while it runs). Resolves to the queued task, when the journal has it on disk. Rejects with a
   * `QueueFullError`, a `QuotaExceededError`, a `KeyReusedError`, or a `TypeError` or `RangeError` for a
   * payload that is no JSON, a name that is taken, an option that is none.
   */
  async add(work: () => unknown): Promise<Task>
  async add<P>(work: Definition<P> | Work<P>, payload: P, options?: AddOptions): Promise<Task>
  async add<P>(work: Definition<P> | Work<P>, payload?: P, options?: AddOptions): Promise<Task> {
    const plan = planOf(this.#kinds, work, payload as P, options)
    const known = this.#ledger.store.findKey(plan.key)
    if (known) return this.#repeat(known, plan.digest)
    const run = new Run(plan, this.#ledger.hasJournal, this.#ledger.store.newId())
    this.#checkRoom(run)
    this.#backlog.enter(run)
    const commit = this.#ledger.add(run)
    if (commit) await this.#save(run, commit)
    run.kind.figures.accepted.add()
    this.#ledger.tell(run)
    if (run.turn === 0) this.#runner.schedule(run, options?.after) // else cancelled since
    return run.snapshot()
  }

  /** With an owner, only if it is theirs. */
  async find(id: string, owner?: string): Promise<Task | undefined> {
    const run = this.#ledger.store.find(id)
    return owner === undefined || run?.owner === owner ? run?.snapshot() : undefined
  }

  /** The newest first, page by page. */
  async list(options: ListOptions): Promise<Page> {
    return this.#ledger.store.list(options)
  }

  /** What a task returned, with its media type. Undefined if it has not, or is no longer kept. */
  async result(id: string): Promise<{ type: string; body: string | Uint8Array } | undefined> {
    const run = this.#ledger.store.find(id)
    if (run?.state !== 'succeeded' || run.isGone) return undefined
    return { type: typeOf(run.result), body: bodyOf(run.result) }
  }

  /**
   * Resolves to the task: cancelled, or `cancelling` until its function returns. Undefined if it is
   * unknown or had ended. Rejects with a `QueueFullError` if the journal can't keep it.
   */
  async cancel(id: string): Promise<Task | undefined> {
    return this.#ledger.inTurn(id, async (run) => {
      if (!run || run.hasEnded) return undefined
      this.#ledger.checkOpen(run)
      const isCancelled = await this.#runner.cancel(run)
      return isCancelled ? run.snapshot() : undefined
    })
  }

  /**
   * Runs one that failed or was cancelled again, as if it were new. Undefined if it is unknown, has
   * not ended so, or its payload is no longer kept. Rejects with a `QueueFullError` or a
   * `QuotaExceededError`.
   */
  async retry(id: string, { after, key }: RetryOptions = {}): Promise<Task | undefined> {
    return this.#ledger.inTurn(id, async (run) => {
      if (run && key !== undefined && run.retryKeys.includes(key)) return run.snapshot()
      if (!run?.hasEnded || run.state === 'succeeded' || run.isGone) return undefined
      this.#checkRoom(run)
      if (run.isJournaled) run.become(this.#kinds.find(run.name)) // which may be known since
      const before = run.present()
      this.#ledger.store.revive(run)
      this.#backlog.enter(run)
      run.turn++
      try {
        const retryKeys = [...run.retryKeys, ...(key === undefined ? [] : [key])].slice(-16)
        await this.#ledger.confirm(this.#ledger.change(run, { ...AS_NEW, retryKeys }))
      } catch (error) {
        this.#backlog.leave(run)
        this.#ledger.change(run, before)
        throw error
      }
      run.kind.figures.accepted.add()
      this.#runner.schedule(run, after)
      return run.snapshot()
    })
  }

  /** Resolves when nothing is queued or running. */
  async idle(): Promise<void> {
    await this.#backlog.when(() => this.size === 0)
  }

  /** Why it can't do its work for now, if it can't. */
  get problem(): string | undefined {
    const { lane } = this.#kinds.plain
    const holders = [...this.#backlog.running].filter((run) => run.kind.lane === lane)
    const isStuck = lane.free === 0 && holders.every((run) => run.verdict !== null)
    if (isStuck) return 'every slot is held by a task that was told to stop and goes on'
    return this.#ledger.problem
  }

  /** Goes on with what the journal has brought back. To be called once all is ready for that. */
  resume(): void {
    this.#runner.resume(this.#restored.splice(0))
  }

  /**
   * Accepts no more, and waits so many milliseconds for what runs, and for what no journal has. Then
   * aborts. What the journal has goes on after the next start. Resolves to the tasks that are lost,
   * which the log names. In a crash, what has to be aborted counts as interrupted by it.
   */
  async drain(milliseconds: number, isCrash = false): Promise<Task[]> {
    this.#isDraining = true
    this.#runner.hold()
    const { running } = this.#backlog
    const grace = Math.min(ABORT_GRACE, milliseconds / 10)
    const isDone = () => running.size === 0 && this.#backlog.unsafe === 0
    await within(milliseconds - grace, this.#backlog.when(isDone))
    const left = [...this.#ledger.store].filter((run) => !run.hasEnded)
    this.#runner.abort(isCrash)
    await within(
      grace,
      this.#backlog.when(() => running.size === 0),
    )
    await this.#runner.close()
    return this.#tellLosses(left)
  }

  #tellLosses(left: readonly Run[]): Task[] {
    const kept = left.filter((run) => run.isJournaled && !run.hasEnded)
    if (kept.length > 0) this.#log.info('tasks wait in the journal', { count: kept.length })
    const lost = left.filter(isLost)
    for (const { fields, id, name } of lost) {
      this.#log.warn('task lost', { ...fields, task: id, name })
    }
    return lost.map((run) => run.snapshot())
  }

  // The first one may still be on its way to the disk, and not arrive.
  async #repeat({ id, digest }: Run, asked: string | undefined): Promise<Task> {
    if (digest !== asked) throw new KeyReusedError()
    return this.#ledger.inTurn(id, async (run) => {
      if (run) return run.snapshot()
      throw new QueueFullError('the task queue could not keep the first task of this key')
    })
  }

  // With as few promises as it can be, since each task that is accepted goes through here.
  async #save(run: Run, { synced }: Commit): Promise<void> {
    run.pending = synced.wait()
    try {
      await run.pending
    } catch (cause) {
      this.#backlog.leave(run)
      this.#ledger.store.remove(run)
      throw closed(cause)
    } finally {
      run.pending = undefined
    }
  }

  #checkRoom(run: Run): void {
    if (this.#isDraining) throw new QueueFullError('the task queue is draining')
    this.#ledger.checkOpen(run)
    this.#backlog.check(run)
  }
}

// Cut off by the drain, and in no journal. A cancel that was asked for has no error.
function isLost({ isJournaled, hasEnded, state, verdict, error }: Run): boolean {
  if (isJournaled || verdict?.state === 'cancelled') return false
  return !hasEnded || (state === 'cancelled' && error !== null)
}
