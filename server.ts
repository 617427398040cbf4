// The whole server, put together: settings → journal → tasks → hub → routes → listen. Which routes
// there are is here; what they do, is in the parts. Importing this file starts nothing.
//
//     npm start, or on Node 22.18 and later: node server.ts [--repair]

import { fileURLToPath } from 'node:url'
import { demoHandlers, type Jobs } from './jobs/demo.ts'
import { notify } from './jobs/notify.ts'
import { render, renderBlocking } from './jobs/render.ts'
import { writeLog } from './jobs/write-log.ts'
import { clientAddress } from './lib/address.ts'
import { Auth } from './lib/auth.ts'
import { readSettings, type Settings } from './lib/config.ts'
import { loadBus, loadTasks } from './lib/engines.ts'
import { fileRoutes } from './lib/files.ts'
import { upgradeRequired } from './lib/gate.ts'
import { HttpServer } from './lib/http.ts'
import type { Journal } from './lib/journal.ts'
import { openJournal } from './lib/journal-choice.ts'
import { repairJournal } from './lib/journal-repair.ts'
import type { Changed } from './lib/ledger.ts'
import { createLog, type Log } from './lib/log.ts'
import { Metrics } from './lib/metrics.ts'
import { Origins } from './lib/origin.ts'
import { isAsked, isMain, run } from './lib/process.ts'
import { HttpError, json, RETRY_SOON, type Reply } from './lib/reply.ts'
import type { Request } from './lib/request.ts'
import { Router, type Routes } from './lib/router.ts'
import { StatsFeed } from './lib/stats.ts'
import { TaskFeed } from './lib/task-feed.ts'
import { taskHandlers, toHttpError } from './lib/task-routes.ts'
import { measureProcess } from './lib/vitals.ts'
import { type Definition, TaskQueue, type Tasks } from './tasks.ts'
import { Hub } from './ws.ts'

export interface App {
  /** Where it listens, for instance `http://127.0.0.1:8000`. */
  readonly url: string
  readonly tasks: Tasks
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

const HTTP_CONNECTIONS = 1_000 // beside the WebSockets
const GOODBYE = 5_000 // milliseconds at most: a quarter of the time to stop is for the sockets
const STATIC = fileURLToPath(new URL('static/', import.meta.url))

/**
 * Starts a whole server. Rejects if the address or the journal can't be had, the files can't be read, or
 * Redis or RabbitMQ refuse the password.
 *
 *     const app = await createApp(readSettings({ PORT: '0' }))
 */
export async function createApp(settings: Settings, additions: Additions = {}): Promise<App> {
  const log = additions.log ?? createLog(settings.logLevel)
  const metrics = new Metrics()
  const journal = await openJournal(settings, { log, metrics })
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
  const auth = new Auth(settings.authSecret)
  const bus = await loadBus(settings.busUrl, { ...settings, log })
  // One user's, of what there is; on an open server names are free.
  const shareOf = (all: number) => (auth.isOpen ? all : Math.max(1, Math.floor(all / 4)))
  const isWorker = settings.role === 'worker'
  let isDraining = false

  const jobs = {
    writeLog: writeLog(settings.workFile, settings.workSeconds),
    notify: notify((topic, data) => hub.publish(topic, data), settings.notifySeconds),
    render,
    // Not in the journal of a guarded server, either: there nothing shall block, from whenever it is.
    ...(auth.isOpen && { renderBlocking }),
  }
  const definitions = [...Object.values(jobs), ...(additions.definitions ?? [])]
  const queueOptions = {
    ...settings,
    ...base,
    capacityPerOwner: shareOf(settings.capacity),
    onChange: (task: Changed) => feed.changed(task),
  }
  const isShared = settings.tasksUrl !== undefined
  // With TASKS_URL it does plain functions only.
  const local = new TaskQueue({ ...queueOptions, definitions: isShared ? [] : definitions })
  const isWatched = () => hub.size > 0
  const shared = await loadTasks(
    settings.tasksUrl,
    { ...queueOptions, definitions, isWatched },
    local,
  )
  const tasks = shared ?? local
  const tell = (topic: string, data: unknown) => {
    hub.publish(topic, data).catch((error) => log.error('publish failed', { error }))
  }
  const feed = new TaskFeed({ tasks, isFollowed: (topic) => hub.isFollowed(topic), tell })
  const hub = new Hub({
    ...settings,
    ...base,
    origins,
    bus,
    path: isWorker ? '' : '/ws', // no path is empty
    maxConnectionsPerUser: shareOf(settings.maxConnections),
    isDraining: () => isDraining,
    addressOf: (req) => clientAddress(req, settings.trustProxy),
    identify: (req, query, check) => auth.identifySocket(req, query, check),
    lookUps: { ...feed.lookUps, stats: async () => stats.newest },
  })

  const files = fileRoutes(additions.files ?? STATIC)
  const parts = { auth, tasks, hub, jobs, log, metrics, isDraining: () => isDraining }
  const own = isWorker ? createProbes(parts) : createRoutes(parts)
  const http = new HttpServer({
    ...settings,
    log,
    metrics,
    origins,
    router: new Router(isWorker ? own : { ...files, ...own, ...additions.routes }),
    maxConnections: settings.maxConnections + HTTP_CONNECTIONS,
    isDraining: () => isDraining,
    translate: toHttpError,
    identify: (req, query) => auth.identify(req, query),
    upgrade: (req, socket, head) => hub.upgrade(req, socket, head),
  })
  await shared?.open()
  await hub.open()
  const port = await http.listen(settings.port, settings.host)
  const url = `http://${host}:${port}`
  const stats = new StatsFeed(metrics, (figures) => tell('stats', figures))
  const stopMeasuring = measureProcess(metrics)
  tasks.resume()
  log.info('listening', { url })
  if (auth.isOpen) log.warn('open: a user is whoever they say, since there is no AUTH_SECRET')
  if (isShared && !bus) log.warn('what tasks publish stays on their server: there is no BUS_URL')

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
    feed.flush()
    await hub.close(left() / 2)
    await http.close(left())
    await shared?.close()
    await journal?.close()
    stats.stop()
    stopMeasuring()
    log.info('stopped')
    return lost.length === 0
  }
}

interface Parts {
  readonly auth: Auth
  readonly tasks: Tasks
  readonly hub: Hub
  readonly jobs: Jobs
  readonly log: Log
  readonly metrics: Metrics
  readonly isDraining: () => boolean
}

function createRoutes({ auth, tasks, jobs, log, isDraining, ...rest }: Parts): Routes {
  const demo = demoHandlers({ tasks, jobs, log, isOpen: auth.isOpen, isDraining })
  const about = taskHandlers(tasks)
  return {
    'POST /process': demo.startProcess,
    'POST /notify/:user': demo.startNotification,
    'POST /render': demo.startRender,
    'GET /tasks': about.list,
    'GET /tasks/:id': about.show,
    'GET /tasks/:id/result': about.showResult,
    'DELETE /tasks/:id': about.cancel,
    'POST /tasks/:id/retry': about.retry,
    'POST /ticket': makeTicket,
    'GET /ws': refusePlain,
    ...createProbes({ tasks, isDraining, ...rest }),
  }

  function makeTicket(request: Request): Reply {
    const ticket = auth.ticketFor(request.authenticate())
    if (ticket !== undefined) return json(200, { ticket }, { 'cache-control': 'no-store' })
    throw new HttpError(404, 'an open server has no tickets, nor needs any')
  }

  function refusePlain({ path }: Request): Reply {
    throw path === '/ws' ? upgradeRequired() : new HttpError(404)
  }
}

/** All that a worker answers. */
function createProbes({ tasks, hub, metrics, isDraining }: Omit<Parts, 'auth' | 'jobs' | 'log'>) {
  return {
    'GET /healthz': () => json(200, { status: 'ok' }),
    'GET /readyz': showReadiness,
    'GET /metrics': showFigures,
  }

  function showReadiness(): Reply {
    const problem = isDraining() ? 'the server is stopping' : (tasks.problem ?? hub.problem)
    if (problem) throw new HttpError(503, problem, RETRY_SOON)
    return json(200, { status: 'ready' })
  }

  function showFigures(request: Request): Reply {
    if (request.authenticate().isAdmin) return metrics.page()
    throw new HttpError(403, 'expected the token of an admin')
  }
}

if (isMain(import.meta.url)) {
  const start = async () =>
    isAsked('--repair') ? repairJournal(readSettings()) : createApp(readSettings())
  await run(start)
}
