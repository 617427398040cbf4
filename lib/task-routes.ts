// What can be asked about tasks over HTTP, and of them: handlers for the table of routes, and how a
// refusal of the queue is answered.

import { QueueFullError, QuotaExceededError } from './backlog.ts'
import { isA, UnavailableError } from './errors.ts'
import { ownerFor } from './identity.ts'
import { KeyReusedError } from './plan.ts'
import { wholeOf } from './query.ts'
import type { Tasks } from './queue.ts'
import { HttpError, json, RETRY_SOON, type Reply, unprocessable } from './reply.ts'
import type { Request } from './request.ts'
import type { Handler } from './router.ts'
import { STATES, type Task } from './task.ts'

export interface Behind {
  readonly after: Promise<void>
  readonly owner?: string
  readonly key?: string
  readonly digest?: string
}

const LISTED = 100 // tasks in one answer, at most
const INERT = { 'content-security-policy': "default-src 'none'; sandbox" } // whatever a task made

/**
 * The task starts behind the reply, belongs to whoever asked, and a request that is sent again gets the
 * same answer. A guest, who is another one next time, owns nothing.
 */
export function behind(request: Request): Behind {
  const identity = request.authenticate()
  const after = request.replied
  if (identity.isGuest) return { after, ...request.idempotency('') }
  return { after, owner: identity.user, ...request.idempotency(identity.user) }
}

export function taskHandlers(tasks: Tasks) {
  async function list(request: Request): Promise<Reply> {
    const { query } = request
    const owner = ownerFor(request.authenticate())
    const limit = wholeOf(query, 'limit', 1, LISTED) ?? 50
    const state = STATES.find((known) => known === query.get('state'))
    if (query.has('state') && !state) {
      throw unprocessable('state', `expected one of ${STATES.join(', ')}`)
    }
    const name = query.get('name') ?? undefined
    const after = wholeOf(query, 'after', 0, Number.MAX_SAFE_INTEGER)
    return json(200, await tasks.list({ owner, state, name, limit, after }))
  }

  async function show(request: Request): Promise<Reply> {
    return json(200, await find(request))
  }

  async function showResult(request: Request): Promise<Reply> {
    const task = await find(request)
    if (task.state !== 'succeeded') throw new HttpError(409, `the task is ${task.state}`)
    const result = await tasks.result(task.id)
    if (!result) throw new HttpError(410, 'the result is no longer kept')
    return { status: 200, headers: { 'content-type': result.type, ...INERT }, body: result.body }
  }

  async function cancel(request: Request): Promise<Reply> {
    const before = await find(request)
    const task = await tasks.cancel(before.id)
    if (task) return json(202, task)
    throw new HttpError(409, `the task has ended: it is ${await stateOf(before)}`)
  }

  async function retry(request: Request): Promise<Reply> {
    const before = await find(request)
    const task = await tasks.retry(before.id, behind(request))
    if (task) return json(202, task, { location: `/tasks/${task.id}` })
    const state = await stateOf(before)
    const isOver = state === 'failed' || state === 'cancelled'
    const why = isOver ? 'its payload is no longer kept' : `it is ${state}`
    throw new HttpError(409, `the task can’t be retried: ${why}`)
  }

  // As it is now: it may have ended meanwhile, or another request was first.
  async function stateOf({ id, state }: Task): Promise<string> {
    return (await tasks.find(id))?.state ?? state
  }

  // Somebody else's is answered like one that is not there.
  async function find(request: Request): Promise<Task> {
    const task = await tasks.find(request.params.id!, ownerFor(request.authenticate()))
    if (task) return task
    throw new HttpError(404, 'there is no such task, or it is no longer remembered')
  }

  return { list, show, showResult, cancel, retry } satisfies Record<string, Handler>
}

/** The queue knows nothing of HTTP: here its refusal becomes a status. Others stay as they are. */
export function toHttpError(error: unknown): unknown {
  if (isA(error, KeyReusedError)) return new HttpError(422, error.message, { cause: error })
  const isUnavailable = isA(error, QueueFullError) || isA(error, UnavailableError)
  if (!isUnavailable && !isA(error, QuotaExceededError)) return error
  return new HttpError(isUnavailable ? 503 : 429, error.message, { cause: error, ...RETRY_SOON })
}
