// The naive way, to compare with: a job's work inside the request, whose client waits for as long. It
// is no task: nobody can look at it, cancel it or try it again, no restart brings it back, and with the
// connection it ends.

import { AbortableContext } from '../lib/context.ts'
import type { Log } from '../lib/log.ts'
import { HttpError, json, RETRY_SOON, type Reply } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import type { Definition } from '../tasks.ts'

const MOST = 1_000 // at a time; their bodies are in memory

/** Does a job in a request. While draining none is begun; those under way end, or are cut off. */
export function inRequest(log: Log, isDraining: () => boolean) {
  let waiting = 0

  return async <P>(request: Request, { work }: Definition<P>, payload: P): Promise<Reply> => {
    if (isDraining()) throw new HttpError(503, 'the server is stopping', RETRY_SOON)
    if (waiting >= MOST) {
      throw new HttpError(503, `expected at most ${MOST} that wait for their work`, RETRY_SOON)
    }
    const started = performance.now()
    const context = new AbortableContext(request.id, 1, log)
    request.replied.then(() => context.abort(new Error('nobody waits for it any more')))
    waiting++
    try {
      await work(payload, context)
    } catch (cause) {
      // That somebody hung up is no failure, to be logged as one.
      throw context.isAborted
        ? new HttpError(400, 'the connection ended before the work', { cause })
        : cause
    } finally {
      waiting--
    }
    const seconds = Math.round(performance.now() - started) / 1_000
    return json(200, { status: 'done', seconds })
  }
}
