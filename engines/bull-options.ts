// How BullMQ's workers are set: what they lock, what they forget, when they try again.

import type { WorkerOptions } from 'bullmq'
import type { TasksOptions } from '../lib/engines.ts'
import { MAX_INTERRUPTIONS } from '../lib/interrupted.ts'
import { backoffAfter } from '../lib/retry.ts'
import { PREFIX } from './bull-keys.ts'
import { policyFrom } from './bull-record.ts'
import type { TaskClient } from './bull-scripts.ts'

/** Milliseconds for which a process may be silent. Redis takes whole ones only. */
export function lockTime({ lockSeconds }: TasksOptions): number {
  return Math.ceil(lockSeconds * 1_000)
}

export function workerOptions(
  connection: TaskClient,
  concurrency: number,
  options: TasksOptions,
): WorkerOptions {
  const lock = lockTime(options)
  return {
    connection,
    prefix: PREFIX,
    concurrency,
    skipVersionCheck: true,
    lockDuration: lock,
    stalledInterval: Math.ceil(lock / 3),
    maxStalledCount: MAX_INTERRUPTIONS - 1,
    runRetryDelay: 1_000,
    removeOnComplete: { count: options.keep },
    removeOnFail: { count: options.keep },
    settings: {
      backoffStrategy: (made, _type, _error, job) =>
        Math.ceil(backoffAfter(made, policyFrom(job!.opts).backoff)),
    },
  }
}
