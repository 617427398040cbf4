// What the timeline draws, as data: an action is what one click does, a lane is the life of a request
// and of the task that it made, a tick is a message on the socket. Nothing here touches the page.
//
//     request sent → reply → waiting → running → (waiting to retry → running …) → end

const REST = 3_000 // milliseconds after the last end, in which a new action joins the same picture
const FRESH = 1_000 // milliseconds that a task of others may begin on the axis before it is heard of
const [MAX_LANES, MAX_TICKS] = [2_000, 5_000]

export const now = () => performance.timeOrigin + performance.now()

/** @param {Lane} lane */
export const isLive = ({ calls, task, endedAt }) =>
  calls.some(({ to }) => to === undefined) || (task && endedAt === undefined)

/** Where it begins on the axis: with its request, or else with its task. @param {Lane} lane */
export const beginOf = ({ action, since, acceptedAt = since }) => (action ? since : acceptedAt)

export class Lanes {
  /** Oldest first. @type {Lane[]} */
  all = []
  /** @type {Tick[]} */
  ticks = []
  /** Hears that something has changed. */
  onChange = () => {}
  /** Hears that the figures of an action have changed. @type {(action: Action) => void} */
  onAction = () => {}
  /** @type {Map<string, Lane>} */
  #byTask = new Map()
  /** Tasks that were heard of before the reply that names them. @type {Map<string, Task>} */
  #early = new Map()
  /** Whose change is still to be told. @type {Set<Action>} */
  #dirty = new Set()
  #expected = 0 // replies that will name a task
  #skew = 0 // milliseconds that this clock is ahead of the server’s
  #lastChange = 0

  /** Since when the picture rests, with everything over. Undefined while it does not. */
  get restsSince() {
    const rest = this.#lastChange + REST
    return this.all.some(isLive) || now() < rest ? undefined : rest
  }

  /** A click. If the picture rests, it begins a new one. @param {string} title @returns {Action} */
  act(title) {
    this.#clear()
    return { title, lanes: [], most: 0 }
  }

  /** A request is sent: one more of a lane that is there, also by its task, or the first of its own.
   * @param {Action} action @param {string} label @param {CallOptions} [options] */
  call(action, label, { makesTask = false, ofTask = '', lane: own } = {}) {
    /** @type {Call} */
    const call = { from: now() }
    const known = own ?? this.#byTask.get(ofTask)
    const lane =
      known ?? this.#add({ label, since: call.from, calls: [], attempts: [], action, makesTask })
    lane.calls.push(call)
    if (!known) action.lanes.push(lane)
    if (ofTask) this.#name(lane, ofTask)
    if (makesTask) this.#expected++
    this.#changed(lane)
    this.#tell()
    return { lane, call }
  }

  /** Its answer has come. @param {Sent} sent @param {number} status @param {string} [id] */
  answered({ lane, call }, status, id) {
    Object.assign(call, { to: now(), status })
    this.#changed(lane) // before what follows asks whether the picture rests
    if (lane.makesTask && call === lane.calls[0]) this.#expected--
    if (id && !lane.task) this.#name(lane, id)
    if (this.#expected === 0) this.#adopt()
    this.#tell()
  }

  /** Tasks have changed, of this page and of others. @param {readonly Task[]} tasks */
  heard(tasks) {
    for (const task of tasks) {
      const lane = this.#byTask.get(task.id)
      if (lane) this.#show(lane, task)
      else if (!task.endedAt || this.#expected > 0) this.#early.set(task.id, task)
    }
    if (this.#expected === 0) this.#adopt()
    this.#tell()
  }

  /** The server knows no such task any more. @param {string} id */
  forget(id) {
    this.#early.delete(id)
    const lane = this.#byTask.get(id)
    if (!lane || lane.endedAt !== undefined) return
    lane.endedAt = now()
    const last = lane.attempts.at(-1)
    if (last && !last.end) last.to = lane.endedAt
    this.#changed(lane)
    this.#tell()
  }

  /** Tasks that were accepted, and of which nothing was told yet. */
  get unheard() {
    return [...this.#byTask].flatMap(([id, { task, endedAt }]) => ((task ?? endedAt) ? [] : id))
  }

  /** A message on the socket. @param {boolean} isSent */
  tick(isSent) {
    this.ticks.push({ at: now(), isSent })
    if (this.ticks.length > MAX_TICKS) this.ticks.splice(0, MAX_TICKS / 2)
  }

  // Once the picture rests.
  #clear() {
    if (!this.restsSince) return
    this.all = []
    this.ticks = []
    this.#byTask.clear()
  }

  /** @param {Lane} lane @param {string} id */
  #name(lane, id) {
    this.#byTask.set(id, lane)
    const early = this.#early.get(id)
    this.#early.delete(id)
    if (early) this.#show(lane, early)
  }

  // Lanes for tasks that nobody here asked for: from another window, or by hand.
  #adopt() {
    for (const [id, task] of this.#early) {
      if (task.endedAt) continue
      this.#clear()
      const label = `${task.name}, from elsewhere`
      const since = now() - FRESH
      this.#name(this.#add({ label, since, calls: [], attempts: [], makesTask: false }), id)
    }
    this.#early.clear()
  }

  /** @param {Lane} lane */
  #add(lane) {
    if (this.all.length >= MAX_LANES) {
      const over = this.all.findIndex((other) => !isLive(other))
      const [gone] = this.all.splice(Math.max(0, over), 1)
      if (gone?.task) this.#byTask.delete(gone.task.id)
    }
    this.all.push(lane)
    return lane
  }

  /** @param {Lane} lane @param {Task} task */
  #show(lane, task) {
    const { startedAt, endedAt } = task
    // What has ended may be told again, or late, as it was before its end. Only a retry begins anew.
    if (lane.task?.endedAt && lane.task.startedAt === startedAt && (startedAt ?? endedAt)) return
    const [call] = lane.calls
    const created = Date.parse(task.createdAt)
    // It was accepted between the request and the reply: that tells how the two clocks differ.
    if (!lane.task && lane.makesTask && call?.to !== undefined) {
      this.#skew = Math.min(Math.max(this.#skew, call.from - created), call.to - created)
    }
    // And nothing is told before it happens.
    this.#skew = Math.min(this.#skew, now() - Date.parse(endedAt ?? startedAt ?? task.createdAt))
    lane.task = task
    lane.acceptedAt = Math.max(created + this.#skew, lane.since)
    lane.endedAt = this.#here(endedAt)
    this.#follow(lane, task)
    this.#changed(lane)
  }

  /** @param {Lane} lane @param {Task} task */
  #follow({ attempts, endedAt }, { attempt: number, state, progress, startedAt }) {
    let last = attempts.at(-1)
    const from = this.#here(startedAt)
    if (from !== undefined && (last?.number !== number || last.startedAt !== startedAt)) {
      const end = last?.number === number ? 'interrupted' : 'failed'
      if (last && !last.end) Object.assign(last, { to: from, end })
      last = { number, startedAt, from, progress: 0 }
      attempts.push(last)
    }
    if (!last || last.end) return
    last.from = from ?? last.from
    last.progress = state === 'succeeded' ? 1 : (progress ?? last.progress)
    if (state === 'running') return
    last.to = Math.max(last.from, endedAt ?? now())
    const isUncounted = number < last.number // a crash or a stop of the server has ended it
    if (state !== 'queued') last.end = state
    else last.end = isUncounted ? 'interrupted' : 'failed'
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
