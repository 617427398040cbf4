// The demo's routes that queue a job: each parses what came, adds a task behind its reply, and answers
// at once. By switches in the query they show what happens otherwise.

import type { Log } from '../lib/log.ts'
import { isName, NAME_RULE } from '../lib/names.ts'
import { numbersOf } from '../lib/numbers.ts'
import { flagOf, wholeOf } from '../lib/query.ts'
import { HttpError, json, type Reply, unprocessable } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import type { Handler } from '../lib/router.ts'
import { behind } from '../lib/task-routes.ts'
import type { Definition, Task, Tasks } from '../tasks.ts'
import { inRequest } from './in-request.ts'
import type { Notification } from './notify.ts'
import { MOST_BLOCKING, VIEW, type View } from './render.ts'
import type { Entry } from './write-log.ts'

export interface Jobs {
  readonly writeLog: Definition<Entry>
  readonly notify: Definition<Notification>
  readonly render: Definition<View>
  /** Only on an open server. */
  readonly renderBlocking?: Definition<View>
}

export interface DemoOptions {
  readonly tasks: Tasks
  readonly jobs: Jobs
  readonly log: Log
  /** Nobody proves who they are. Only then the switches are there. */
  readonly isOpen: boolean
  readonly isDraining: () => boolean
}

const DEFAULT_MESSAGE = 'You have a notification'
const MAX_MESSAGE = 60_000 // bytes: it goes to each socket of a user, in one frame

export function demoHandlers({ tasks, jobs, log, isOpen, isDraining }: DemoOptions) {
  const doInRequest = inRequest(log, isDraining)

  async function startProcess(request: Request): Promise<Reply> {
    const { query } = request
    checkSwitches(query, 'fail', 'wait')
    const isToWait = flagOf(query, 'wait') === true
    if (isToWait && query.has('fail')) {
      throw unprocessable('fail', 'expected none with wait=true: only a task has attempts')
    }
    const fail = wholeOf(query, 'fail', 0, 1_000) ?? 0
    const entry = { line: `Processed: ${JSON.stringify(await request.json())}`, fail }
    if (isToWait) return doInRequest(request, jobs.writeLog, entry)
    return accepted(await tasks.add(jobs.writeLog, entry, behind(request)))
  }

  async function startNotification(request: Request): Promise<Reply> {
    const user = request.params.user!
    if (!isName(user)) throw unprocessable('user', `expected a user name: ${NAME_RULE}`)
    const message = messageOf(request.hasBody ? await request.json() : {})
    const notification = { user, from: request.authenticate().user, message }
    const { id } = await tasks.add(jobs.notify, notification, behind(request))
    return json(202, { detail: 'notification queued', id }, { location: `/tasks/${id}` })
  }

  async function startRender(request: Request): Promise<Reply> {
    checkSwitches(request.query, 'thread')
    const isBlocking = flagOf(request.query, 'thread') === false
    const view = numbersOf(request.hasBody ? await request.json() : {}, VIEW)
    if (isBlocking) checkBlocking(view)
    const job = (isBlocking && jobs.renderBlocking) || jobs.render
    return accepted(await tasks.add(job, view, behind(request)))
  }

  // They are there to show something, and can be a nuisance to others: so only an open server has them.
  function checkSwitches(query: URLSearchParams, ...names: readonly string[]): void {
    const refused = isOpen ? undefined : names.find((name) => query.has(name))
    if (refused)
      throw unprocessable(refused, `expected no ${refused}: only an open server takes it`)
  }

  return { startProcess, startNotification, startRender } satisfies Record<string, Handler>
}

// Everybody else waits meanwhile.
function checkBlocking({ width, height, iterations }: View): void {
  const product = width * height * iterations
  if (product <= MOST_BLOCKING) return
  const most = `width × height × iterations of at most ${MOST_BLOCKING}`
  throw unprocessable('', `expected ${most} for thread=false, got ${product}`)
}

function messageOf({ message = DEFAULT_MESSAGE }: Record<string, unknown>): string {
  if (typeof message !== 'string') throw unprocessable('/message', 'expected a string')
  const bytes = Buffer.byteLength(JSON.stringify(message)) - 2 // as it goes out, without its quotes
  if (bytes <= MAX_MESSAGE) return message
  throw new HttpError(413, `expected a message of at most ${MAX_MESSAGE} bytes, got ${bytes}`)
}

function accepted({ id }: Task): Reply {
  return json(202, { status: 'accepted', id }, { location: `/tasks/${id}` })
}
