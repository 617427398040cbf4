// The job of `POST /notify/:user`: a message to all sockets of a user, some seconds later.

import { type Definition, defineTask, type Work } from '../tasks.ts'

export interface Notification {
  readonly user: string
  readonly from: string
  readonly message: string
}

type Publish = (topic: string, data: unknown) => Promise<unknown>

/** It has slots of its own, so that it never waits behind slow jobs. */
const SLOTS = 100

export function notify(publish: Publish, seconds: number): Definition<Notification> {
  const work: Work<Notification> = async ({ user, from, message }, context) => {
    await context.sleep(seconds * 1_000)
    await publish(`user:${user}`, { message, from, task: context.id })
  }
  return defineTask('notify', work, { concurrency: SLOTS })
}
