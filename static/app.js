// The demo page, put together: the timeline, a session with the server, and the panels, each of which
// does one thing. What comes from outside is put in as text, never as markup.

import { byId, element, onSubmit, setText } from './dom.js'
import { describe, Lanes } from './lanes.js'
import { startChat } from './panels/chat.js'
import { startCursors } from './panels/cursors.js'
import { startEcho } from './panels/echo.js'
import { startJobs } from './panels/jobs.js'
import { startNotifications } from './panels/notify.js'
import { startStats } from './panels/stats.js'
import { TaskList } from './panels/tasks.js'
import { Session } from './session.js'
import { Timeline } from './timeline.js'

/** @typedef {import('./client.js').Status} Status */
/** @typedef {import('./lanes.js').Action} Action */

const lanes = new Lanes()
const session = new Session(lanes)
const MAX_WORDS = 6 // actions, in words

new Timeline(lanes)
showWords()
showCode()
await logIn()
start()

function start() {
  const tasks = new TaskList(session, lanes)
  setText(byId('me', HTMLElement), session.user)
  for (const part of document.querySelectorAll('[data-open-only]')) {
    if (part instanceof HTMLButtonElement) part.disabled = !session.isOpen
  }
  for (const part of document.querySelectorAll('[data-guarded-only]')) {
    if (part instanceof HTMLElement) part.hidden = session.isOpen
  }
  session.connect(showStatus)
  tasks.start()
  startJobs(session, lanes, tasks)
  startNotifications(session, lanes)
  startChat(session)
  startCursors(session)
  startEcho(session, lanes)
  startStats(session)
  byId('panels', HTMLElement).inert = false
  addEventListener('online', () => session.wake())
  byId('wake', HTMLButtonElement).onclick = () => session.wake()
}

// A server with AUTH_SECRET lets nobody in without a token; an open one lets in everybody.
async function logIn() {
  const form = byId('login', HTMLFormElement)
  const token = byId('token', HTMLInputElement)
  const problem = byId('login-problem', HTMLElement)
  session.onRefused = (why) => {
    form.hidden = false
    setText(problem, why)
  }
  const isLetIn = new Promise((resolve) => {
    onSubmit('login', async () => {
      const refusal = await session.logIn(token.value.trim())
      setText(problem, refusal)
      if (refusal) return
      token.value = ''
      form.hidden = true
      resolve(undefined)
    })
  })
  for (;;) {
    const refusal = await session.knock()
    if (!refusal) return
    if (!session.isOpen) break
    setText(byId('status', HTMLElement), refusal)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  }
  form.hidden = false
  setText(byId('status', HTMLElement), 'This server wants a token.')
  await isLetIn
}

/** @type {ReturnType<typeof setInterval> | undefined} */
let countdown

/** @param {Status} status @param {number} delay @param {string} reason */
function showStatus(status, delay, reason) {
  clearInterval(countdown)
  byId('light', HTMLElement).dataset.status = status
  byId('wake', HTMLElement).hidden = status !== 'waiting'
  const due = Date.now() + delay
  const why = reason && ` (${reason})`
  const show = () => {
    const seconds = Math.max(0, Math.ceil((due - Date.now()) / 1_000))
    const offline = navigator.onLine ? '' : 'offline, '
    const words = {
      connecting: 'connecting …',
      connected: 'connected',
      closed: `disconnected${why}`,
      waiting: `${offline}reconnecting in ${seconds} s${why}`,
    } // prettier-ignore
    setText(byId('status', HTMLElement), words[status])
  }
  show()
  if (status === 'waiting') countdown = setInterval(show, 1_000)
}

// The figures of the last actions in words. What is over is said aloud, too.
function showWords() {
  const list = byId('words', HTMLOListElement)
  /** @type {Map<Action, HTMLLIElement>} */
  const lines = new Map()
  lanes.onAction = (action) => {
    if (action.lanes.length === 0) return
    const words = describe(action)
    const line = lines.get(action) ?? element('li')
    setText(line, words)
    if (!lines.has(action)) list.prepend(line)
    lines.set(action, line)
    const [oldest] = lines
    if (lines.size > MAX_WORDS && oldest) {
      oldest[1].remove()
      lines.delete(oldest[0])
    }
  }
}

// The commands under the panels work as they stand: with this server’s address.
function showCode() {
  for (const command of document.querySelectorAll('code.shell')) {
    setText(command, (command.textContent ?? '').replaceAll('localhost:8000', location.host))
  }
}
