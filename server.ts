// The whole server, put together: settings → tasks → hub → routes → listen. What each route does is
// here; how, is in the parts. Importing this file starts nothing.
//
//     npm start, or on Node 22.18 and later: node server.ts

import { fileURLToPath } from 'node:url'
import { notify } from './jobs/notify.ts'
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
import { createLog, type Log } from './lib/log.ts'
import { isName, NAME_RULE } from './lib/names.ts'
import { Origins } from './lib/origin.ts'
import { isMain, run } from './lib/process.ts'
import { HttpError, json, RETRY_SOON, type Reply, unprocessable } from './lib/reply.ts'
import type { Request } from './lib/request.ts'
import { Router, type Routes } from './lib/router.ts'
import { STATES } from './lib/task.ts'
import { type Definition, QueueFullError, type Task, TaskQueue } from './tasks.ts'
import { Hub } from './ws.ts'

export interface App {
  /** Where it listens, for instance `http://127.0.0.1:8000`. */
  readonly url: string
  readonly tasks: TaskQueue
  readonly hub: Hub
  readonly log: Log
  /** Stops in order, within `DRAIN_SECONDS` or so many milliseconds. False: tasks were lost. */
  close(milliseconds?: number): Promise<boolean>
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

const LISTED = 100 // tasks in one answer, at most
const BATCH = 100 // milliseconds between two frames of `tasks`
const HTTP_CONNECTIONS = 1_000 // beside the WebSockets
const GOODBYE = 5_000 // milliseconds at most: a quarter of the time to stop is for the sockets
const DEFAULT_MESSAGE = 'You have a notification'
const STATIC = fileURLToPath(new URL('static/', import.meta.url))

/**
 * Starts a whole server. Rejects if the address can't be had, or the files can't be read.
 *
 *     const app = await createApp(readSettings({ PORT: '0' }))
 */
export async function createApp(settings: Settings, additions: Additions = {}): Promise<App> {
  const log = additions.log ?? createLog(settings.logLevel)
  const host = settings.host.includes(':') ? `[${settings.host}]` : settings.host
  const origins = new Origins({ ...settings, allowedHosts: [...settings.allowedHosts, host] })
  let isDraining = false

  const jobs = {
    writeLog: writeLog(settings.workFile, settings.workSeconds),
    notify: notify((topic, data) => hub.publish(topic, data), settings.notifySeconds),
  }
  const tasks = new TaskQueue({
    ...settings,
    log,
    definitions: [...Object.values(jobs), ...(additions.definitions ?? [])],
    onChange: (task) => {
      if (hub.isFollowed(`task:${task.id}`)) tell(`task:${task.id}`, task)
      if (hub.isFollowed('tasks')) changed.add(task.id)
    },
  })
  const hub = new Hub({
    ...settings,
    log,
    origins,
    path: '/ws',
    isDraining: () => isDraining,
    identify: (req) => ({
      address: clientAddress(req, settings.trustProxy),
      user: identify(new URLSearchParams(splitTarget(req.url ?? '').query)),
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
  const own = createRoutes(tasks, jobs, () => isDraining)
  const http = new HttpServer({
    ...settings,
    log,
    origins,
    router: new Router({ ...files, ...own, ...additions.routes }),
    maxConnections: settings.maxConnections + HTTP_CONNECTIONS,
    isDraining: () => isDraining,
    translate: toHttpError,
    upgrade: (req, socket, head) => hub.upgrade(req, socket, head),
  })
  const port = await http.listen(settings.port, settings.host)
  const url = `http://${host}:${port}`
  log.info('listening', { url })

  let closing: Promise<boolean> | undefined
  const close = (milliseconds = settings.drainSeconds * 1_000) => (closing ??= stop(milliseconds))
  return { url, tasks, hub, log, close }

  // Tasks first, so that those who watch them hear the end; then the sockets; then the rest.
  async function stop(milliseconds: number): Promise<boolean> {
    const deadline = performance.now() + milliseconds
    const left = () => Math.max(0, deadline - performance.now())
    isDraining = true
    const unfinished = await tasks.drain(milliseconds - Math.min(GOODBYE, milliseconds / 4))
    await changed.flush()
    await hub.close(left() / 2)
    await http.close(left())
    log.info('stopped')
    return unfinished.length === 0
  }
}

type Jobs = { writeLog: ReturnType<typeof writeLog>; notify: ReturnType<typeof notify> }

function createRoutes(tasks: TaskQueue, jobs: Jobs, isDraining: () => boolean): Routes {
  return {
    'POST /process': startProcess,
    'POST /notify/:user': startNotification,
    'GET /tasks': listTasks,
    'GET /tasks/:id': showTask,
    'GET /healthz': () => json(200, { status: 'ok' }),
    'GET /readyz': showReadiness,
    'GET /ws': refusePlain,
  }

  async function startProcess(request: Request): Promise<Reply> {
    const fail = readWhole(request.query, 'fail', 0, 1_000) ?? 0
    const entry = { line: `Processed: ${JSON.stringify(await request.json())}`, fail }
    const { id } = await tasks.add(jobs.writeLog, entry, { after: request.replied })
    return json(202, { status: 'accepted', id }, { location: `/tasks/${id}` })
  }

  async function startNotification(request: Request): Promise<Reply> {
    const user = request.params.user!
    if (!isName(user)) throw unprocessable('user', `expected a user name: ${NAME_RULE}`)
    const { message = DEFAULT_MESSAGE } = request.hasBody ? await request.json() : {}
    if (typeof message !== 'string') throw unprocessable('/message', 'expected a string')
    const notification = { user, from: identify(request.query), message }
    const { id } = await tasks.add(jobs.notify, notification, { after: request.replied })
    return json(202, { detail: 'notification queued', id }, { location: `/tasks/${id}` })
  }

  async function listTasks({ query }: Request): Promise<Reply> {
    const limit = readWhole(query, 'limit', 1, LISTED) ?? 50
    const state = STATES.find((known) => known === query.get('state'))
    if (query.has('state') && !state) {
      throw unprocessable('state', `expected one of ${STATES.join(', ')}`)
    }
    const name = query.get('name') ?? undefined
    const after = readWhole(query, 'after', 0, 999_999_999)
    return json(200, await tasks.list({ state, name, limit, after }))
  }

  async function showTask({ params }: Request): Promise<Reply> {
    const task = await tasks.find(params.id!)
    if (task) return json(200, task)
    throw new HttpError(404, 'there is no such task, or it is no longer remembered')
  }

  function showReadiness(): Reply {
    if (isDraining()) throw new HttpError(503, 'the server is stopping', RETRY_SOON)
    return json(200, { status: 'ready' })
  }

  function refusePlain({ path }: Request): Reply {
    throw path === '/ws' ? upgradeRequired() : new HttpError(404)
  }
}

function readWhole(query: URLSearchParams, name: string, least: number, most: number) {
  const text = query.get(name)
  if (text === null) return undefined
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
  throw unprocessable(name, `expected a whole number from ${least} to ${most}`)
}

function withoutResult(task: Task): Task {
  return { ...task, result: null }
}

// The queue knows nothing of HTTP: here its refusal becomes a status.
function toHttpError(error: unknown): unknown {
  if (!isA(error, QueueFullError)) return error
  return new HttpError(503, error.message, { cause: error, ...RETRY_SOON })
}

if (isMain(import.meta.url)) {
  await run(() => createApp(readSettings()))
}
