// The task queue: accepts work, runs it after the reply, a few at a time, and remembers how it ended.
//
//     add ─▶ queued: `after` is over, setImmediate, in line for a slot ─▶ running ─▶ succeeded
//                                                                            ├─────▶ failed
//                                                          drain's deadline  └─────▶ cancelled
//
// It promises: what was accepted runs, whatever becomes of the reply; not before `after` is over; a
// task that throws is `failed` and disturbs nobody; what waits, what is kept and what is returned has
// a bound; `drain` ends inside its deadline. It does not promise to survive the process: all of it is
// in memory.

import { attempt } from './lib/attempt.ts'
import { checkWhole } from './lib/check.ts'
import { timestamp } from './lib/clock.ts'
import { AbortableContext, type TaskContext } from './lib/context.ts'
import { Crowd } from './lib/crowd.ts'
import type { Definition, Work } from './lib/definition.ts'
import { toJson } from './lib/json.ts'
import { type Lane, Lanes } from './lib/lane.ts'
import { currentFields, type Fields, type Log, withFields } from './lib/log.ts'
import { type ListOptions, type Page, TaskStore } from './lib/store.ts'
import { newTask, type Task } from './lib/task.ts'
import { within } from './lib/within.ts'

export type { TaskContext } from './lib/context.ts'
export { type Definition, defineTask, type Work } from './lib/definition.ts'
export type { State, Task } from './lib/task.ts'

/** Thrown by `add` when the queue is full or draining. The caller may try again later. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

export interface TaskQueueOptions {
  /** Tasks that run at the same time. */
  readonly concurrency: number
  /** Tasks queued and running; one more is refused. */
  readonly capacity: number
  /** Finished tasks that are remembered, failed ones longer (see `lib/store.ts`). */
  readonly keep: number
  readonly log: Log
  /** Known from the start. Any other is once it was added. */
  readonly definitions?: readonly Definition<never>[]
  /** Called at each change of a task. */
  readonly onChange?: (task: Task) => void
}

export interface AddOptions {
  /** The task starts only when this is over, be it fulfilled or rejected. */
  readonly after?: Promise<unknown>
}

/** A task on its way to its end. */
interface Run {
  task: Task // the newest snapshot
  readonly start: (context: TaskContext) => unknown
  readonly bytes: number // of its payload as JSON
  readonly lane: Lane<Run>
  readonly fields: Fields // of the log lines of whoever added it
}

const MAX_PAYLOAD_BYTES = 128 * 1_048_576 // of all unfinished tasks
const SLICE = 5 // milliseconds of starting tasks, then sockets and timers have their turn
const ABORT_GRACE = 1_000 // milliseconds for aborted tasks to return

/**
 * Runs tasks in the background.
 *
 *     const tasks = new TaskQueue({ concurrency: 8, capacity: 1_000, keep: 1_000, log })
 *     const task = await tasks.add(() => sendMail(address), undefined, { after: request.replied })
 */
export class TaskQueue {
  readonly #options: TaskQueueOptions
  readonly #unfinished = new Crowd<Run>()
  readonly #running = new Crowd<AbortableContext>()
  readonly #store: TaskStore
  readonly #lanes: Lanes<Run>
  #payloadBytes = 0
  #isAwake = false
  #isDraining = false
  #isStopped = false

  /** Throws a `RangeError` for a bound that is none, a `TypeError` for a name that is taken. */
  constructor(options: TaskQueueOptions) {
    checkWhole('concurrency', options.concurrency, 1)
    checkWhole('capacity', options.capacity, 1)
    checkWhole('keep', options.keep, 0)
    this.#options = options
    this.#store = new TaskStore(options.keep)
    this.#lanes = new Lanes(options.concurrency)
    for (const definition of options.definitions ?? []) this.#lanes.of(definition)
  }

  /** Tasks queued and running. */
  get size(): number {
    return this.#unfinished.size
  }

  /**
   * Accepts a definition or a plain function, synchronous or not (a synchronous one blocks the event
   * loop while it runs). Resolves to the queued task. Rejects with a `QueueFullError`, or with a
   * `TypeError` if a definition's payload is no JSON or its name is taken.
   */
  async add(work: () => unknown): Promise<Task>
  async add<P>(work: Definition<P> | Work<P>, payload: P, options?: AddOptions): Promise<Task>
  async add<P>(
    work: Definition<P> | Work<P>,
    payload?: P,
    options: AddOptions = {},
  ): Promise<Task> {
    const planned = this.#plan(work, payload as P)
    this.#checkRoom(planned.bytes)

    const run: Run = { ...planned, fields: currentFields() }
    this.#unfinished.add(run)
    this.#payloadBytes += run.bytes
    this.#change(run)
    const enter = () => {
      run.lane.enter(run)
      this.#wake()
    }
    if (options.after) options.after.then(enter, enter)
    else enter()
    return run.task
  }

  async find(id: string): Promise<Task | undefined> {
    return this.#store.find(id)
  }

  /** The newest first, page by page. */
  async list(options: ListOptions): Promise<Page> {
    return this.#store.list(options)
  }

  /** Resolves when nothing is queued or running. */
  async idle(): Promise<void> {
    await this.#unfinished.whenEmpty()
  }

  /**
   * Accepts no more, lets what was accepted run for so many milliseconds, then aborts what runs.
   * Resolves to the tasks that did not end by themselves, each of which the log names.
   */
  async drain(milliseconds: number): Promise<Task[]> {
    this.#isDraining = true
    const grace = Math.min(ABORT_GRACE, milliseconds / 10)
    if (await within(milliseconds - grace, this.idle())) return []

    this.#isStopped = true
    const all = [...this.#unfinished]
    for (const context of this.#running) context.abort(new Error('the queue was drained'))
    await within(grace, this.#running.whenEmpty())
    const left = all.filter(({ task: { state } }) => state !== 'succeeded' && state !== 'failed')
    for (const { fields, task } of left) {
      this.#options.log.warn('task lost', { ...fields, task: task.id, name: task.name })
    }
    return left.map((run) => run.task)
  }

  #plan<P>(work: Definition<P> | Work<P>, payload: P): Omit<Run, 'fields'> {
    if (typeof work === 'function') {
      const task = newTask(work.name.slice(0, 64) || 'anonymous')
      const start = (context: TaskContext) => work(payload, context)
      return { task, start, bytes: 0, lane: this.#lanes.shared }
    }
    const lane = this.#lanes.of(work)
    const text = toJson(payload)
    const copy = () => (text === undefined ? undefined : JSON.parse(text))
    const start = (context: TaskContext) => work.work(copy(), context)
    return { task: newTask(work.name), start, bytes: Buffer.byteLength(text ?? ''), lane }
  }

  #checkRoom(bytes: number): void {
    if (this.#isDraining) throw new QueueFullError('the task queue is draining')
    if (this.#unfinished.size >= this.#options.capacity) {
      throw new QueueFullError(`the task queue is full (${this.#options.capacity} tasks)`)
    }
    if (this.#payloadBytes + bytes > MAX_PAYLOAD_BYTES) {
      throw new QueueFullError(`the task queue is full (${MAX_PAYLOAD_BYTES} bytes of payloads)`)
    }
  }

  // In a later turn of the event loop, so that what is under way there, a reply for one, goes first.
  #wake(): void {
    if (this.#isAwake || this.#isStopped) return
    this.#isAwake = true
    setImmediate(() => this.#startNext())
  }

  // One of each lane in turn, so that none waits behind another's work.
  #startNext(): void {
    this.#isAwake = false
    const until = performance.now() + SLICE
    let started = 0
    do {
      started = 0
      for (const lane of this.#lanes) started += this.#startOne(lane)
    } while (started > 0 && performance.now() < until)
    if (started > 0) this.#wake()
  }

  #startOne(lane: Lane<Run>): number {
    const run = this.#isStopped ? undefined : lane.next()
    if (!run) return 0
    const { id, name, attempt } = run.task
    const context = new AbortableContext(id, attempt + 1, this.#options.log)
    this.#running.add(context)
    withFields({ ...run.fields, task: id, name }, () => this.#run(run, context))
    return 1
  }

  // One attempt, from its start to its end. Never rejects: a task's failure ends here.
  async #run(run: Run, context: AbortableContext): Promise<void> {
    this.#change(run, { state: 'running', attempt: context.attempt, startedAt: timestamp() })
    const outcome = await attempt(run.start, context)
    this.#change(run, { ...outcome, endedAt: timestamp() })
    this.#running.delete(context)
    this.#unfinished.delete(run)
    this.#payloadBytes -= run.bytes
    run.lane.leave()
    this.#wake()
  }

  #change(run: Run, change: Partial<Task> = {}): void {
    run.task = { ...run.task, ...change }
    this.#store.set(run.task)
    try {
      this.#options.onChange?.(run.task)
    } catch (error) {
      this.#options.log.error('a listener failed', { error })
    }
  }
}
