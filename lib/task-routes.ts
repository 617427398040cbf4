// What can be asked about tasks over HTTP, and of them: handlers for the table of routes.

import { identify } from './auth.ts'
import { wholeOf } from './numbers.ts'
import { HttpError, json, type Reply, unprocessable } from './reply.ts'
import type { Request } from './request.ts'
import type { Handler } from './router.ts'
import type { ListOptions, Page } from './store.ts'
import { STATES, type Task } from './task.ts'

/** The part of a task queue that is needed here. */
export interface Tasks {
  find(id: string): Promise<Task | undefined>
  list(options: ListOptions): Promise<Page>
  result(id: string): Promise<{ type: string; body: string | Uint8Array } | undefined>
  cancel(id: string): Promise<Task | undefined>
  retry(id: string, options: Behind): Promise<Task | undefined>
}

export interface Behind {
  readonly after: Promise<void>
  readonly key?: string
  readonly digest?: string
}

export const LISTED = 100 // tasks in one answer, at most
const INERT = { 'content-security-policy': "default-src 'none'; sandbox" } // whatever a task made

/** The task starts behind the reply, and a request that is sent again gets the same answer. */
export async function behind(request: Request): Promise<Behind> {
  const user = request.query.has('user') ? identify(request.query) : ''
  return { after: request.replied, ...(await request.identity(user)) }
}

export function taskHandlers(tasks: Tasks) {
  async function list({ query }: Request): Promise<Reply> {
    const limit = wholeOf(query, 'limit', 1, LISTED) ?? 50
    const state = STATES.find((known) => known === query.get('state'))
    if (query.has('state') && !state) {
      throw unprocessable('state', `expected one of ${STATES.join(', ')}`)
    }
    const name = query.get('name') ?? undefined
    const after = wholeOf(query, 'after', 0, 999_999_999)
    return json(200, await tasks.list({ state, name, limit, after }))
  }

  async function show({ params }: Request): Promise<Reply> {
    return json(200, await find(params.id!))
  }

  async function showResult({ params }: Request): Promise<Reply> {
    const task = await find(params.id!)
    if (task.state !== 'succeeded') throw new HttpError(409, `the task is ${task.state}`)
    const result = await tasks.result(task.id)
    if (!result) throw new HttpError(410, 'the result is no longer kept')
    return { status: 200, headers: { 'content-type': result.type, ...INERT }, body: result.body }
  }

  async function cancel({ params }: Request): Promise<Reply> {
    const before = await find(params.id!)
    const task = await tasks.cancel(before.id)
    if (task) return json(202, task)
    throw new HttpError(409, `the task has ended: it is ${before.state}`)
  }

  async function retry(request: Request): Promise<Reply> {
    const before = await find(request.params.id!)
    const task = await tasks.retry(before.id, await behind(request))
    if (task) return json(202, task, { location: `/tasks/${task.id}` })
    const isOver = before.state === 'failed' || before.state === 'cancelled'
    const why = isOver ? 'its payload is no longer kept' : `it is ${before.state}`
    throw new HttpError(409, `the task can’t be retried: ${why}`)
  }

  async function find(id: string): Promise<Task> {
    const task = await tasks.find(id)
    if (task) return task
    throw new HttpError(404, 'there is no such task, or it is no longer remembered')
  }

  return { list, show, showResult, cancel, retry } satisfies Record<string, Handler>
}
