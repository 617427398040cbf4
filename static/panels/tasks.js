// The list of tasks, live: what the server knows of them, by state, with a button for what can be done.
// It knows many tasks, and shows the newest of those that are asked for.

import { byId, element, setText } from '../dom.js'
import { resultOf } from '../result.js'
import { TaskRow } from './task-row.js'

const STATES = ['all', 'queued', 'running', 'succeeded', 'failed', 'cancelled']
const PAGE = 30 // rows, and as many more with each click
const MAX_TASKS = 2_000 // known here
const LISTED = 100 // tasks in one answer of the server
const MAX_PAGES = 20

export class TaskList {
  /** @type {Map<string, Task>} */
  #tasks = new Map()
  /** @type {Map<string, TaskRow>} */
  #rows = new Map()
  /** @type {Map<string, ((task?: Task) => void)[]>} */
  #waiting = new Map()
  #session
  #lanes
  #state = 'all'
  #most = PAGE
  #isDue = false
  /** How many there are of each state, where it is shown. @type {Map<string, HTMLElement>} */
  #counts = new Map()
  #list = byId('task-list')
  #more = byId('more-tasks', HTMLButtonElement)

  /** @param {Session} session @param {Lanes} lanes */
  constructor(session, lanes) {
    this.#session = session
    this.#lanes = lanes
    for (const state of STATES) this.#offer(state)
    this.#more.onclick = () => {
      this.#most += PAGE
      this.#redraw()
    }
  }

  /** One more state that can be asked for. @param {string} state */
  #offer(state) {
    const checked = state === this.#state
    const radio = element('input', { type: 'radio', name: 'state', checked })
    const count = element('span', {}, '0')
    byId('states').append(element('label', {}, radio, `${state} `, count), ' ')
    this.#counts.set(state, count)
    radio.onchange = () => {
      this.#state = state
      this.#most = PAGE
      this.#redraw()
      this.#load(state)
    }
  }

  /** Follows the tasks that this page may see. */
  start() {
    this.#session.subscribe('tasks', {
      onMessage: ({ data, offset }) => {
        const tasks = /** @type {Task[]} */ (data)
        const isPresentState = offset === undefined
        this.#hear(isPresentState ? tasks.toReversed() : tasks)
        if (isPresentState) this.#catchUp(new Set(tasks.map(({ id }) => id)))
      },
    })
  }

  /** Resolves when the task is over; to undefined if the server forgets it before.
   * @param {string} id @returns {Promise<Task | undefined>} */
  async ended(id) {
    const known = this.#tasks.get(id)
    if (known?.endedAt) return known
    return new Promise((resolve) => {
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve])
    })
  }

  /** @param {readonly Task[]} tasks */
  #hear(tasks) {
    for (const task of tasks) {
      const known = this.#tasks.get(task.id)
      const isOld = known?.endedAt && known.startedAt && known.startedAt === task.startedAt
      if (isOld) continue // what was asked for comes later than what is told
      this.#tasks.set(task.id, task)
      if (task.endedAt) this.#settle(task.id, task)
    }
    if (this.#tasks.size > MAX_TASKS) this.#shorten()
    this.#lanes.heard(tasks)
    this.#redraw()
  }

  /** @param {string} id @param {Task} [task] */
  #settle(id, task) {
    for (const resolve of this.#waiting.get(id) ?? []) resolve(task)
    this.#waiting.delete(id)
  }

  // What ended while the page was away is asked for; what the server no longer knows is forgotten.
  /** @param {Set<string>} present */
  async #catchUp(present) {
    const live = [...this.#tasks.values()].filter(({ endedAt }) => !endedAt).map(({ id }) => id)
    const known = [...live, ...this.#waiting.keys(), ...this.#lanes.unheard]
    const missing = new Set(known.filter((id) => !present.has(id)))
    let after = ''
    for (let page = 0; missing.size > 0 && page < MAX_PAGES; page++) {
      const { isOk, data } = await this.#session.fetch('GET', `/tasks?limit=${LISTED}${after}`)
      if (!isOk) return // after the next reconnect
      this.#hear(data.tasks)
      for (const { id } of data.tasks) missing.delete(id)
      if (data.next === null) for (const id of missing) this.#forget(id)
      if (data.next === null) break
      after = `&after=${data.next}`
    }
    this.#redraw()
  }

  /** @param {string} id */
  #forget(id) {
    this.#tasks.delete(id)
    this.#lanes.forget(id)
    this.#settle(id)
  }

  /** The server’s newest of one state: there may be some that are not known here. @param {string} state */
  async #load(state) {
    if (state === 'all') return
    const path = `/tasks?limit=${LISTED}&state=${state}`
    const { isOk, data } = await this.#session.fetch('GET', path)
    if (isOk) this.#hear(data.tasks.toReversed())
  }

  #shorten() {
    for (const [id, { endedAt }] of this.#tasks) {
      if (this.#tasks.size <= MAX_TASKS / 2) return
      if (endedAt) this.#tasks.delete(id)
    }
  }

  // At most once a frame, however many tasks change.
  #redraw() {
    if (this.#isDue) return
    this.#isDue = true
    requestAnimationFrame(() => {
      this.#isDue = false
      this.#draw()
    })
  }

  #draw() {
    const newest = [...this.#tasks.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
    const matching = newest.filter(({ state }) => this.#state === 'all' || state === this.#state)
    const shown = matching.slice(0, this.#most)
    this.#count(newest)
    const kept = new Set(shown.map(({ id }) => id))
    for (const [id, row] of this.#rows) if (!kept.has(id)) this.#remove(id, row)
    let place = this.#list.firstElementChild
    for (const task of shown) {
      const row = this.#rows.get(task.id) ?? new TaskRow(task.id, (act) => this.#act(task.id, act))
      this.#rows.set(task.id, row)
      row.show(task)
      if (row.item === place) place = place.nextElementSibling
      else this.#list.insertBefore(row.item, place)
    }
    this.#more.hidden = matching.length <= shown.length
    setText(this.#more, `Show more: ${matching.length - shown.length} are left`)
  }

  /** @param {readonly Task[]} tasks */
  #count(tasks) {
    for (const [state, count] of this.#counts) {
      const matching = tasks.filter((task) => state === 'all' || task.state === state)
      setText(count, String(matching.length))
    }
  }

  // Whoever stood on it stays at the list.
  /** @param {string} id @param {TaskRow} row */
  #remove(id, row) {
    if (row.item.contains(document.activeElement)) this.#list.focus()
    row.item.remove()
    this.#rows.delete(id)
  }

  /** @param {string} id @param {string} act */
  async #act(id, act) {
    const row = this.#rows.get(id)
    if (act === 'Result') return row?.showResult(await resultOf(this.#session, id))
    const before = this.#tasks.get(id)
    const [method, path] = act === 'Cancel' ? ['DELETE', ''] : ['POST', '/retry']
    const call = this.#session.call(this.#lanes.act(act), method, `/tasks/${id}${path}`, {
      ofTask: id,
    })
    const { isOk, data, problem } = await call
    if (isOk && this.#tasks.get(id) === before) this.#hear([data]) // or the socket was faster
    if (!isOk) row?.showResult(element('p', { className: 'problem' }, problem))
  }
}
