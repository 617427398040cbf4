// The whole server, put together: settings → journal → tasks → hub → routes → listen. What each route
// does is here; how, is in the parts. Importing this file starts nothing.
//
//     npm start, or on Node 22.18 and later: node server.ts [--repair]

import { fileURLToPath } from 'node:url'
import { notify } from './jobs/notify.ts'
import { render, VIEW } from './jobs/render.ts'
import { writeLog } from './jobs/write-log.ts'
import { clientAddress } from './lib/address.ts'
import { identify } from './lib/auth.ts'
import { Batch } from './lib/batch.ts'
import { readSettings, type Settings } from './lib/config.ts'
import { isA } from './lib/errors.ts'
import { fileRoutes } from './lib/files.ts'
import { splitTarget } from './lib/framing.ts'
import { upgradeRequired } from './lib/gate.ts'
import { HttpServer } from './lib/http.ts'
import { Journal } from './lib/journal.ts'
import { repairJournal } from './lib/journal-repair.ts'
import { createLog, type Log } from './lib/log.ts'
import { Metrics } from './lib/metrics.ts'
import { isName, NAME_RULE } from './lib/names.ts'
import { numbersOf, wholeOf } from './lib/numbers.ts'
import { Origins } from './lib/origin.ts'
import { isAsked, isMain, run } from './lib/process.ts'
import { HttpError, json, RETRY_SOON, type Reply, unprocessable } from './lib/reply.ts'
import type { Request } from './lib/request.ts'
import { Router, type Routes } from './lib/router.ts'
import { behind, LISTED, taskHandlers } from './lib/task-routes.ts'
import { measureProcess } from './lib/vitals.ts'
import { type Definition, KeyReusedError, QueueFullError, type Task, TaskQueue } from './tasks.ts'
import { Hub } from './ws.ts'

export interface App {
  /** Where it listens, for instance `http://127.0.0.1:8000`. */
  readonly url: string
  readonly tasks: TaskQueue
  readonly hub: Hub
  readonly log: Log
  /**
   * Stops in order, within `DRAIN_SECONDS` or so many milliseconds. False: tasks were lost. In a
   * crash, what has to be aborted counts as interrupted by it.
   */
  close(milliseconds?: number, isCrash?: boolean): Promise<boolean>
}

export interface Additions {
  /** More routes, or others in place of those here. */
  readonly routes?: Routes
  /** More tasks. */
  readonly definitions?: readonly Definition<never>[]
  /** A folder of static files, instead of the demo page. */
  readonly files?: string
  readonly log?: Log
}

const BATCH = 100 // milliseconds between two frames of `tasks`
const HTTP_CONNECTIONS = 1_000 // beside the WebSockets
const GOODBYE = 5_000 // milliseconds at most: a quarter of the time to stop is for the sockets
const DEFAULT_MESSAGE = 'You have a notification'
const STATIC = fileURLToPath(new URL('static/', import.meta.url))

/**
 * Starts a whole server. Rejects if the address or the journal can't be had, or the files can't be
 * read.
 *
 *     const app = await createApp(readSettings({ PORT: '0' }))
 */
export async function createApp(settings: Settings, additions: Additions = {}): Promise<App> {
  const log = additions.log ?? createLog(settings.logLevel)
  const metrics = new Metrics()
  const { journal: path } = settings
  const journal = path === undefined ? undefined : await Journal.open(path, { log, metrics })
  try {
    return await compose(settings, additions, { log, metrics, journal })
  } catch (error) {
    await journal?.close()
    throw error
  }
}

interface Base {
  readonly log: Log
  readonly metrics: Metrics
  readonly journal: Journal | undefined
}

async function compose(settings: Settings, additions: Additions, base: Base): Promise<App> {
  const { log, metrics, journal } = base
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  const origins = new Origins({ ...settings, allowedHosts: [...settings.allowedHosts, host] })
  let isDraining = false

  const jobs = {
    writeLog: writeLog(settings.workFile, settings.workSeconds),
    notify: notify((topic, data) => hub.publish(topic, data), settings.notifySeconds),
    render,
  }
  const tasks = new TaskQueue({
    ...settings,
    ...base,
    definitions: [...Object.values(jobs), ...(additions.definitions ?? [])],
    onChange: (task) => {
      const topic = `task:${task.id}`
      if (hub.isFollowed(topic)) tell(topic, task.snapshot())
      if (hub.isFollowed('tasks')) changed.add(task.id)
    },
  })
  const hub = new Hub({
    ...settings,
    ...base,
    origins,
    path: '/ws',
    isDraining: () => isDraining,
    identify: (req) => ({
      address: clientAddress(req, settings.trustProxy),
      identity: {
        user: identify(new URLSearchParams(splitTarget(req.url ?? '').query)),
        isAdmin: true,
        isGuest: false,
      },
    }),
    lookUps: {
      task: (id) => tasks.find(id),
      tasks: async () => (await tasks.list({ limit: LISTED })).tasks.map(withoutResult),
    },
  })
  const changed = new Batch(BATCH, async (ids) => {
    const found = await Promise.all(ids.map((id) => tasks.find(id)))
    const known = found.filter((task) => task !== undefined)
    tell('tasks', known.map(withoutResult))
  })
  const tell = (topic: string, data: unknown) => {
    hub.publish(topic, data).catch((error) => log.error('publish failed', { error }))
  }

  const files = await fileRoutes(additions.files ?? STATIC)
  const own = createRoutes(tasks, jobs, metrics, () => isDraining)
  const http = new HttpServer({
    ...settings,
    log,
    metrics,
    origins,
    router: new Router({ ...files, ...own, ...additions.routes }),
    maxConnections: settings.maxConnections + HTTP_CONNECTIONS,
    isDraining: () => isDraining,
    translate: toHttpError,
    upgrade: (req, socket, head) => hub.upgrade(req, socket, head),
  })
  const port = await http.listen(settings.port, settings.host)
  const url = `http://${host}:${port}`
  const stopMeasuring = measureProcess(metrics)
  tasks.resume()
  log.info('listening', { url })

  let closing: Promise<boolean> | undefined
  const close = (milliseconds = settings.drainSeconds * 1_000, isCrash = false) =>
    (closing ??= stop(milliseconds, isCrash))
  return { url, tasks, hub, log, close }

  // Tasks first, so that those who watch them hear the end; then the sockets; then the rest.
  async function stop(milliseconds: number, isCrash: boolean): Promise<boolean> {
    const deadline = performance.now() + milliseconds
    const left = () => Math.max(0, deadline - performance.now())
    isDraining = true
    const lost = await tasks.drain(milliseconds - Math.min(GOODBYE, milliseconds / 4), isCrash)
    await changed.flush()
    await hub.close(left() / 2)
    await http.close(left())
    await journal?.close()
    stopMeasuring()
    log.info('stopped')
    return lost.length === 0
  }
}

type Jobs = { writeLog: ReturnType<typeof writeLog>; notify: ReturnType<typeof notify> }

function createRoutes(
  tasks: TaskQueue,
  jobs: Jobs,
  metrics: Metrics,
  isDraining: () => boolean,
): Routes {
  const about = taskHandlers(tasks)
  return {
    'POST /process': startProcess,
    'POST /notify/:user': startNotification,
    'POST /render': startRender,
    'GET /tasks': about.list,
    'GET /tasks/:id': about.show,
    'GET /tasks/:id/result': about.showResult,
    'DELETE /tasks/:id': about.cancel,
    'POST /tasks/:id/retry': about.retry,
    'GET /healthz': () => json(200, { status: 'ok' }),
    'GET /readyz': showReadiness,
    'GET /metrics': () => metrics.page(),
    'GET /ws': refusePlain,
  }

  async function startProcess(request: Request): Promise<Reply> {
    const fail = wholeOf(request.query, 'fail', 0, 1_000) ?? 0
    const entry = { line: `Processed: ${JSON.stringify(await request.json())}`, fail }
    return accepted(await tasks.add(jobs.writeLog, entry, await behind(request)))
  }

  async function startNotification(request: Request): Promise<Reply> {
    const user = request.params.user!
    if (!isName(user)) throw unprocessable('user', `expected a user name: ${NAME_RULE}`)
    const { message = DEFAULT_MESSAGE } = request.hasBody ? await request.json() : {}
    if (typeof message !== 'string') throw unprocessable('/message', 'expected a string')
    const notification = { user, from: identify(request.query), message }
    const { id } = await tasks.add(jobs.notify, notification, await behind(request))
    return json(202, { detail: 'notification queued', id }, { location: `/tasks/${id}` })
  }

  async function startRender(request: Request): Promise<Reply> {
    const view = numbersOf(request.hasBody ? await request.json() : {}, VIEW)
    return accepted(await tasks.add(render, view, await behind(request)))
  }

  function showReadiness(): Reply {
    const problem = isDraining() ? 'the server is stopping' : tasks.problem
    if (problem) throw new HttpError(503, problem, RETRY_SOON)
    return json(200, { status: 'ready' })
  }

  function refusePlain({ path }: Request): Reply {
    throw path === '/ws' ? upgradeRequired() : new HttpError(404)
  }
}

function accepted({ id }: Task): Reply {
  return json(202, { status: 'accepted', id }, { location: `/tasks/${id}` })
}

function withoutResult(task: Task): Task {
  return { ...task, result: null }
}

// The queue knows nothing of HTTP: here its refusal becomes a status.
function toHttpError(error: unknown): unknown {
  if (isA(error, KeyReusedError)) return new HttpError(422, error.message, { cause: error })
  if (!isA(error, QueueFullError)) return error
  return new HttpError(503, error.message, { cause: error, ...RETRY_SOON })
}

if (isMain(import.meta.url)) {
  const start = async () =>
    isAsked('--repair') ? repairJournal(readSettings()) : createApp(readSettings())
  await run(start)
}
