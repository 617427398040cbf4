// The demo page: jobs, notifications and chat, all of it live over one socket. What comes from
// outside is put in as text, never as markup.

import { Client } from './client.js'

/** @typedef {{ id: string, name: string, state: string, error: { message: string } | null,
 *   createdAt: string, startedAt: string | null, endedAt: string | null }} Task */

const MAX_ROWS = 100
const MAX_LINES = 200

/** @param {string} id */
const $ = (id) => /** @type {HTMLElement} */ (document.getElementById(id))
/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ ($(id))

const STATUS = { connecting: 'connecting …', connected: 'connected', waiting: '', closed: 'closed' }

/** @type {ReturnType<typeof setInterval> | undefined} */
let countdown
let isLost = false

const user = whoAmI()
$('me').textContent = user
$('other').setAttribute('href', `?user=${user === 'bob' ? 'alice' : 'bob'}`)
field('user').value = user

const socketUrl = new URL(`/ws?user=${user}`, location.href.replace(/^http/, 'ws'))
const client = new Client(socketUrl, { onStatus: showStatus })

// — jobs —

$('work').onsubmit = async (event) => {
  event.preventDefault()
  const button = /** @type {HTMLButtonElement | null} */ (event.submitter)
  const count = button?.name === 'count' ? Number(button.value) : 1
  const query = button?.name === 'fail' ? `?fail=${button.value}` : ''
  const body = field('document').value
  const started = performance.now()
  const answers = await Promise.all(
    Array.from({ length: count }, () => post(`/process${query}`, body)),
  )
  const ms = Math.round(performance.now() - started)
  const refused = answers.find((answer) => answer.problem)
  $('answer').textContent = refused
    ? `Refused: ${refused.problem}`
    : `${count === 1 ? 'Answered' : `All ${count} answered`} after ${ms} ms. The work goes on.`
}

// — tasks —

/** @type {Map<string, { task: Task, row: HTMLTableRowElement }>} */
const shown = new Map()

client.subscribe('tasks', {
  onMessage({ data, offset }) {
    const tasks = /** @type {Task[]} */ (data)
    const isPresentState = offset === undefined // newest first; changes come oldest first
    if (isPresentState) clearTasks()
    for (const task of isPresentState ? tasks.toReversed() : tasks) showTask(task)
    summarize()
  },
})

function clearTasks() {
  for (const { row } of shown.values()) row.remove()
  shown.clear()
}

/** @param {Task} task */
function showTask(task) {
  const row = shown.get(task.id)?.row ?? document.createElement('tr')
  if (!shown.has(task.id)) $('tasks').prepend(row)
  shown.set(task.id, { task, row })
  row.dataset.state = task.state
  const { name, state, createdAt, startedAt, endedAt, error } = task
  const waited = seconds(createdAt, startedAt)
  const ran = seconds(startedAt, endedAt)
  const accepted = new Date(createdAt).toLocaleTimeString()
  const cells = [state, name, accepted, waited, ran, error?.message ?? '']
  row.replaceChildren(...cells.map((text) => element('td', text)))

  const [oldest] = shown
  if (shown.size > MAX_ROWS && oldest) {
    oldest[1].row.remove()
    shown.delete(oldest[0])
  }
}

function summarize() {
  const states = [...shown.values()].map(({ task }) => task.state)
  const parts = ['running', 'queued', 'succeeded', 'failed', 'cancelled'].flatMap((state) => {
    const count = states.filter((each) => each === state).length
    return count > 0 ? [`${count} ${state}`] : []
  })
  $('summary').textContent = parts.join(', ') || 'No tasks yet.'
}

/**
 * @param {string | null} from
 * @param {string | null} to
 */
function seconds(from, to) {
  return from && to ? `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(2)} s` : ''
}

// — notifications —

$('notify').onsubmit = async (event) => {
  event.preventDefault()
  const to = field('user').value
  const note = field('note').value
  const body = note === '' ? undefined : JSON.stringify({ message: note })
  const { problem } = await post(`/notify/${to}?user=${user}`, body)
  $('notified').textContent = problem ? `Refused: ${problem}` : `Accepted. ${to} hears it soon.`
  if (!problem) field('note').value = ''
}

client.subscribe(`user:${user}`, {
  onMessage({ data, at }) {
    const { from, message } = /** @type {{ from: string, message: string }} */ (data)
    addLine($('notifications'), `${time(at)} from ${from}: `, message)
  },
})

// — chat —

let leave = () => {}
let room = ''
let shownRoom = ''

function enter() {
  leave()
  room = field('room').value
  $('say-label').textContent = `Say in ${room}`
  leave = client.subscribe(`room:${room}`, {
    onStart({ recovered }) {
      if (recovered) return
      const isBack = $('chat').childElementCount > 0 && room === shownRoom
      $('chat').replaceChildren() // what the room has kept comes now
      if (isBack) addLine($('chat'), '', 'What was said before may not be kept any more.')
      shownRoom = room
    },
    onMessage({ from, at, data }) {
      const text = typeof data === 'string' ? data : JSON.stringify(data)
      addLine($('chat'), `${time(at)} ${from}: `, text)
    },
  })
}

$('join').onsubmit = (event) => {
  event.preventDefault()
  enter()
}

$('say').onsubmit = async (event) => {
  event.preventDefault()
  const input = field('text')
  const said = client.publish(`room:${room}`, input.value)
  input.value = ''
  try {
    await said
  } catch (error) {
    addLine($('chat'), '', `Not sent: ${/** @type {Error} */ (error).message}`)
  }
}

enter()

// — small things —

/** The name in the address, or one that lasts as long as the tab. */
function whoAmI() {
  const named = new URLSearchParams(location.search).get('user')
  if (named && /^[A-Za-z0-9._@-]{1,64}$/.test(named)) return named
  const known = sessionStorage.getItem('user')
  const name = known ?? `guest-${Math.floor(Math.random() * 9000 + 1000)}`
  sessionStorage.setItem('user', name)
  return name
}

/**
 * @param {string} path
 * @param {string} [body]
 * @returns {Promise<{ problem?: string }>}
 */
async function post(path, body) {
  try {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const reply = await fetch(path, { method: 'POST', headers, body: body ?? null })
    return reply.ok ? {} : { problem: (await reply.json()).detail }
  } catch {
    return { problem: 'the server can’t be reached' }
  }
}

/**
 * @param {import('./client.js').Status} status
 * @param {number} delay
 * @param {string} reason
 */
function showStatus(status, delay, reason) {
  clearInterval(countdown)
  $('light').dataset.status = status
  const due = Date.now() + delay
  const show = () => {
    const wait = `reconnecting in ${Math.max(0, Math.ceil((due - Date.now()) / 1000))} s`
    $('status').textContent = status === 'waiting' ? wait : STATUS[status]
  }
  show()
  if (status === 'connected') isLost = false
  if (status !== 'waiting') return
  countdown = setInterval(show, 1000)
  if (!isLost) {
    addLine($('chat'), '', `Disconnected${reason && `: ${reason}`}.`)
  }
  isLost = true
}

/**
 * @param {HTMLElement} list
 * @param {string} prefix
 * @param {string} text
 */
function addLine(list, prefix, text) {
  const line = document.createElement('li')
  line.append(element('small', prefix), text)
  list.append(line)
  if (list.childElementCount > MAX_LINES) list.firstElementChild?.remove()
  list.scrollTop = list.scrollHeight
}

/**
 * @param {string} tag
 * @param {string} text
 */
function element(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text })
}

/** @param {string} at */
function time(at) {
  return new Date(at).toLocaleTimeString()
}
