// A row of the list of tasks: what is known of one task, and a button for what can be done. The button
// stays the same one, for whoever stands on it.

import { clock, duration, element, setText } from '../dom.js'

const ACTS = {
  queued: 'Cancel',
  running: 'Cancel',
  succeeded: 'Result',
  failed: 'Retry',
  cancelled: 'Retry',
}

export class TaskRow {
  item = element('li')
  #state = element('span', { className: 'state' })
  #name = element('strong')
  #when = element('span', { className: 'when' })
  #note = element('span', { className: 'note' })
  #bar = element('progress', { max: 1 })
  #button = element('button')
  #result = element('div', { className: 'result' })
  /** @type {Task | undefined} */
  #task
  #act

  /** @param {string} id @param {(act: string) => void} act */
  constructor(id, act) {
    this.#act = act
    this.#button.onclick = () => act(this.#button.value)
    this.#bar.ariaLabel = `Progress of task ${id}`
    this.item.append(this.#state, this.#name, this.#when, this.#button)
    this.item.append(this.#bar, this.#note, this.#result)
  }

  /** @param {Task} task */
  show(task) {
    if (task === this.#task) return
    const isNews = this.#task && !this.#task.endedAt && task.endedAt
    this.#task = task
    const { id, name, state, cancelling, progress } = task
    this.item.dataset.state = state
    setText(this.#state, cancelling ? 'stopping' : state)
    setText(this.#name, name)
    setText(this.#when, whenOf(task))
    setText(this.#note, noteOf(task))
    this.#bar.hidden = state !== 'running'
    this.#bar.value = progress ?? 0
    const act = ACTS[state]
    this.#button.value = act
    this.#button.disabled = cancelling
    setText(this.#button, act)
    this.#button.ariaLabel = `${act}: ${name} ${id}`
    if (!task.endedAt) this.#result.replaceChildren()
    // A picture shows itself.
    if (isNews && state === 'succeeded' && name.startsWith('render')) this.#act(act)
  }

  /** @param {HTMLElement} result */
  showResult(result) {
    this.#result.replaceChildren(result)
  }
}

/** @param {Task} task */
function whenOf({ id, createdAt, startedAt, endedAt, attempt, attempts }) {
  const parts = [clock(createdAt), id]
  if (attempts > 1 && attempt > 0) parts.push(`attempt ${attempt} of ${attempts}`)
  if (startedAt && endedAt)
    parts.push(`ran ${duration(Date.parse(endedAt) - Date.parse(startedAt))}`)
  return parts.join(' · ')
}

/** @param {Task} task */
function noteOf({ state, note, error, runAt }) {
  const begins = state === 'queued' && runAt ? `at ${clock(runAt)}.` : ''
  if (error && state !== 'succeeded') return `${error.message}.${begins && ` Again ${begins}`}`
  return state === 'running' ? (note ?? '') : begins && `Begins ${begins}`
}
