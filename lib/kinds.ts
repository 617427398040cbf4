// What the queue knows of each definition: its lane, its options, its figures. Plain functions are
// one kind together, since they have no name that could be told from any other.

import type { Definition } from './definition.ts'
import { Lane } from './lane.ts'
import type { Counter, Histogram, Metrics } from './metrics.ts'
import { NonRetryableError } from './retry.ts'

/** `TaskOptions` with nothing left open. */
export interface Policy {
  readonly attempts: number
  readonly backoff: number
  readonly timeout: number | undefined
  readonly delay: number
  readonly priority: number
}

export interface Kind<T> {
  /** Undefined for plain functions. */
  readonly definition: Definition<never> | undefined
  readonly lane: Lane<T>
  readonly policy: Policy
  readonly figures: Figures
}

export interface Figures {
  readonly accepted: Counter
  readonly succeeded: Counter
  readonly failed: Counter
  readonly cancelled: Counter
  readonly retries: Counter
  readonly interruptions: Counter
  readonly wait: Histogram
  readonly run: Histogram
}

const DEFAULTS: Policy = { attempts: 1, backoff: 500, timeout: undefined, delay: 0, priority: 0 }

/** Where an option is not given, or undefined, that of `base` stands. */
export function policyOf(options: Partial<Policy>, base: Policy = DEFAULTS): Policy {
  const { attempts = base.attempts, backoff = base.backoff, timeout = base.timeout } = options
  const { delay = base.delay, priority = base.priority } = options
  return { attempts, backoff, timeout, delay, priority }
}

export class Kinds<T> {
  readonly plain: Kind<T>
  readonly #threads: Lane<T>
  readonly #lanes: Lane<T>[]
  readonly #byName = new Map<string, Kind<T>>()
  readonly #figures: (name: string) => Figures

  /** So many slots for all that have none of their own, and so many for those that run in threads. */
  constructor(slots: number, threads: number, metrics: Metrics) {
    this.#figures = figuresIn(metrics)
    const lane = new Lane<T>(slots)
    const figures = this.#figures('plain function')
    this.plain = { definition: undefined, lane, policy: DEFAULTS, figures }
    this.#threads = new Lane(threads)
    this.#lanes = [lane, this.#threads]
  }

  get lanes(): readonly Lane<T>[] {
    return this.#lanes
  }

  /** Throws a `TypeError` if another definition has the same name: by it tasks are found. */
  of(definition: Definition<never>): Kind<T> {
    const { name } = definition
    const known = this.#byName.get(name)
    if (known?.definition === definition) return known
    if (known) throw new TypeError(`two definitions have the name "${name}"`)

    const lane = this.#laneOf(definition)
    const kind = { definition, lane, policy: policyOf(definition), figures: this.#figures(name) }
    this.#byName.set(name, kind)
    return kind
  }

  /** By the name of a task in the journal. A name that nobody has any more fails its tasks. */
  find(name: string): Kind<T> {
    const work = () => {
      throw new NonRetryableError(`unknown task "${name}": no definition has this name`)
    }
    return this.#byName.get(name) ?? { ...this.plain, definition: { name, work } }
  }

  #laneOf({ concurrency, thread }: Definition<never>): Lane<T> {
    if (concurrency === undefined) return thread ? this.#threads : this.plain.lane
    const lane = new Lane<T>(concurrency)
    this.#lanes.push(lane)
    return lane
  }
}

function figuresIn(metrics: Metrics): (name: string) => Figures {
  const accepted = metrics.counter('tasks_accepted_total', 'Tasks accepted, or retried by hand.')
  const ended = metrics.counter('tasks_ended_total', 'Tasks by how they ended.')
  const retries = metrics.counter('task_retries_total', 'Attempts that failed and are made again.')
  const interruptions = metrics.counter(
    'task_interruptions_total',
    'Attempts that a crash of the process ended.',
  )
  const wait = metrics.histogram('task_wait_seconds', 'From ready to run until a slot was free.')
  const run = metrics.histogram('task_run_seconds', 'What one attempt took.')
  return (name) => ({
    accepted: accepted.of({ name }),
    succeeded: ended.of({ name, state: 'succeeded' }),
    failed: ended.of({ name, state: 'failed' }),
    cancelled: ended.of({ name, state: 'cancelled' }),
    retries: retries.of({ name }),
    interruptions: interruptions.of({ name }),
    wait: wait.of({ name }),
    run: run.of({ name }),
  })
}
