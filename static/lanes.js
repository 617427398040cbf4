// What the timeline draws, as data: an action is what one click does, a lane is the life of one request
// and of the task that it made, a tick is one message on the socket. Nothing here touches the page.
//
//     request sent → reply → waiting → running → (waiting to retry → running …) → end

import { duration } from './dom.js'

const REST = 3_000 // milliseconds after the last end, in which a new action joins the same picture
const [MAX_LANES, MAX_TICKS] = [2_000, 5_000]

export const now = () => performance.timeOrigin + performance.now()

/** @param {Lane} lane */
export const isLive = ({ calls, task, endedAt }) =>
  calls.some(({ to }) => to === undefined) || (task !== undefined && endedAt === undefined)

/** When it begins on the axis. @param {Lane} lane */
export const beginOf = ({ calls: [call], acceptedAt = Number.POSITIVE_INFINITY }) =>
  Math.min(call?.from ?? acceptedAt, acceptedAt)

export class Lanes {
  /** Oldest first. @type {Lane[]} */
  all = []
  /** @type {Tick[]} */
  ticks = []
  /** Hears that something has changed. */
  onChange = () => {}
  /** Hears that the figures of an action are others. @type {(action: Action) => void} */
  onAction = () => {}
  /** @type {Map<string, Lane>} */
  #byTask = new Map()
  /** Tasks that were heard of before the reply that names them. @type {Map<string, Task>} */
  #early = new Map()
  /** Whose figures are others than they were told. @type {Set<Action>} */
  #dirty = new Set()
  #expected = 0 // replies that will name a task
  #skew = 0 // milliseconds that this clock is ahead of the server’s
  #lastChange = 0

  get isLive() {
    return this.all.some(isLive)
  }

  /** When everything was over and the picture has rested. Undefined before. */
  get restsSince() {
    const rest = this.#lastChange + REST
    return this.isLive || now() < rest ? undefined : rest
  }

  /** A click that sends so many requests. @param {string} title @returns {Action} */
  act(title) {
    if (this.restsSince !== undefined) this.#clear()
    return { title, lanes: [], most: 0 }
  }

  /**
   * A request is sent: one more of a lane, or of a task that has one, or the first of its own.
   * @param {Action} action
   * @param {string} label
   * @param {{ makesTask?: boolean, ofTask?: string | undefined, lane?: Lane | undefined }} [options]
   */
  call(action, label, { makesTask = false, ofTask = '', lane: own } = {}) {
    /** @type {Call} */
    const call = { from: now() }
    const known = own ?? this.#byTask.get(ofTask)
    const lane = known ?? this.#add({ label, calls: [], attempts: [], action, makesTask })
    lane.calls.push(call)
    if (!known) action.lanes.push(lane)
    if (makesTask) this.#expected++
    this.#changed(lane)
    this.#tell()
    return { lane, call }
  }

  /** Its answer has come. @param {{ lane: Lane, call: Call }} of @param {number} status @param {string} [id] */
  answered({ lane, call }, status, id) {
    Object.assign(call, { to: now(), status })
    if (lane.makesTask && call === lane.calls[0]) this.#expected--
    if (id !== undefined && !lane.task) {
      this.#byTask.set(id, lane)
      const early = this.#early.get(id)
      this.#early.delete(id)
      if (early) this.#show(lane, early)
    }
    if (this.#expected === 0) this.#adopt()
    this.#changed(lane)
    this.#tell()
  }

  /** Tasks have changed, of this page and of others. @param {readonly Task[]} tasks */
  heard(tasks) {
    for (const task of tasks) {
      const lane = this.#byTask.get(task.id)
      if (lane) this.#show(lane, task)
      else if (task.endedAt === null || this.#expected > 0) this.#early.set(task.id, task)
    }
    if (this.#expected === 0) this.#adopt()
    this.#tell()
  }

  /** The server knows no such task any more. @param {string} id */
  forget(id) {
    const lane = this.#byTask.get(id)
    if (!lane || lane.endedAt !== undefined) return
    lane.endedAt = now()
    this.#changed(lane)
    this.#tell()
  }

  /** Tasks that have not ended, as far as is known here. */
  get liveTasks() {
    return [...this.#byTask].filter(([, lane]) => isLive(lane)).map(([id]) => id)
  }

  /** A message on the socket. @param {boolean} isSent */
  tick(isSent) {
    this.ticks.push({ at: now(), isSent })
    if (this.ticks.length > MAX_TICKS) this.ticks.splice(0, MAX_TICKS / 2)
  }

  #clear() {
    this.all = []
    this.ticks = []
    this.#byTask.clear()
  }

  // Those that nobody here asked for: from another window, or by hand.
  #adopt() {
    for (const [id, task] of this.#early) {
      if (task.endedAt !== null) continue
      if (this.restsSince !== undefined) this.#clear()
      const label = `${task.name}, from elsewhere`
      const lane = this.#add({ label, calls: [], attempts: [], makesTask: false })
      this.#byTask.set(id, lane)
      this.#show(lane, task)
    }
    this.#early.clear()
  }

  /** @param {Lane} lane */
  #add(lane) {
    this.all.push(lane)
    if (this.all.length > MAX_LANES) {
      const [gone] = this.all.splice(0, 1)
      if (gone?.task) this.#byTask.delete(gone.task.id)
    }
    return lane
  }

  /** @param {Lane} lane @param {Task} task */
  #show(lane, task) {
    const [call] = lane.calls
    const created = Date.parse(task.createdAt)
    // It was accepted between the request and the reply: that tells how the two clocks differ.
    if (!lane.task && call?.to !== undefined) {
      this.#skew = Math.min(Math.max(this.#skew, call.from - created), call.to - created)
    }
    lane.task = task
    lane.acceptedAt = created + this.#skew
    if (task.startedAt !== null) this.#start(lane, task.attempt, Date.parse(task.startedAt))
    const attempt = lane.attempts.at(-1)
    if (attempt && attempt.to === undefined && task.attempt === attempt.number) {
      attempt.progress = task.state === 'succeeded' ? 1 : (task.progress ?? 0)
    }
    if (task.state !== 'running') this.#stop(lane, this.#here(task.endedAt) ?? now())
    lane.endedAt = this.#here(task.endedAt)
    this.#changed(lane)
  }

  /** @param {Lane} lane @param {number} number @param {number} startedAt of the server */
  #start(lane, number, startedAt) {
    const from = startedAt + this.#skew
    const last = lane.attempts.at(-1)
    if (last?.number === number && Math.abs(last.from - from) < 1_000) return
    this.#stop(lane, from)
    lane.attempts.push({ number, from, progress: 0 })
  }

  /** @param {Lane} lane @param {number} at */
  #stop(lane, at) {
    const last = lane.attempts.at(-1)
    if (last) last.to ??= Math.max(last.from, at)
  }

  /** @param {string | null} iso */
  #here(iso) {
    return iso === null ? undefined : Date.parse(iso) + this.#skew
  }

  /** @param {Lane} lane */
  #changed({ action }) {
    this.#lastChange = now()
    if (action) this.#dirty.add(action)
  }

  #tell() {
    for (const action of this.#dirty) {
      const running = action.lanes.filter(({ task }) => task?.state === 'running').length
      action.most = Math.max(action.most, running)
      this.onAction(action)
    }
    this.#dirty.clear()
    this.onChange()
  }
}

/** The figures of an action in words: what was answered when, and finished when. @param {Action} action */
export function describe({ title, lanes, most }) {
  const calls = lanes.flatMap(({ calls: [first] }) => (first ? [first] : []))
  const start = Math.min(...calls.map(({ from }) => from))
  const after = (/** @type {number} */ time) => duration(time - start)
  const last = (/** @type {(number | undefined)[]} */ times) =>
    Math.max(...times.map((t) => t ?? 0))
  const all = lanes.length === 1 ? '' : 'all '
  const series = lanes.flatMap(({ calls, task }) => (task ? [] : calls))
  if (series.length > lanes.length) {
    const slowest = Math.max(...series.map(({ from, to = from }) => to - from))
    return `${title}: ${series.length} requests, the slowest answered after ${duration(slowest)}.`
  }
  if (calls.some(({ to }) => to === undefined)) return `${title}: waiting for the answer …`
  const refused = calls.filter(({ status = 0 }) => status < 200 || status > 299)
  const lost = refused.some(({ status }) => status === 0)
  const why = lost ? 'no answer came' : `refused with ${refused[0]?.status}`
  if (refused.length === lanes.length) return `${title}: ${all}${why}.`

  const parts = [`${all}answered after ${after(last(calls.map(({ to }) => to)))}`]
  if (refused.length > 0) parts.push(`${refused.length} ${why}`)
  const tasks = lanes.filter(({ task }) => task)
  const ended = tasks.filter(({ endedAt }) => endedAt !== undefined)
  const isOver = ended.length === tasks.length
  if (tasks.length > 0 && !isOver) {
    parts.push(
      tasks.length === 1 ? 'the work goes on' : `${ended.length} of ${tasks.length} finished`,
    )
  }
  if (tasks.length > 0 && isOver) {
    const how = (/** @type {string} */ state) =>
      tasks.filter(({ task }) => task?.state === state).length
    const end = tasks.length === how('failed') ? 'failed' : 'finished'
    const cancelled = tasks.length === how('cancelled') ? 'cancelled' : end
    parts.push(`${all}${cancelled} after ${after(last(tasks.map(({ endedAt }) => endedAt)))}`)
  }
  if (most > 1) parts.push(`at most ${most} at once`)
  return `${title}: ${parts.join(', ')}.`
}
