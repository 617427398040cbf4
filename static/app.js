// The demo page, put together: the timeline, a session with the server, and the panels, each of which
// does one thing. What comes from outside is put in as text, never as markup.

import { byId, element, onSubmit, say, setText } from './dom.js'
import { isLive, Lanes } from './lanes.js'
import { startChat } from './panels/chat.js'
import { startCursors } from './panels/cursors.js'
import { startEcho } from './panels/echo.js'
import { startJobs } from './panels/jobs.js'
import { startNotifications } from './panels/notify.js'
import { startStats } from './panels/stats.js'
import { TaskList } from './panels/tasks.js'
import { Session } from './session.js'
import { Timeline } from './timeline.js'
import { describe } from './words.js'

const lanes = new Lanes()
const session = new Session(lanes)
const MAX_WORDS = 4 // actions

new Timeline(lanes)
showWords()
namePanels()
await logIn()
start()

function start() {
  const tasks = new TaskList(session, lanes)
  say('me', session.user)
  document.title = `${session.user} · meanwhile`
  showCommands()
  for (const button of document.querySelectorAll('[data-open-only]')) {
    button.toggleAttribute('disabled', !session.isOpen)
  }
  byId('guarded').hidden = session.isOpen
  session.connect(showStatus)
  tasks.start()
  startJobs(session, lanes, tasks)
  startNotifications(session, lanes)
  startChat(session)
  startCursors(session)
  startEcho(session, lanes)
  startStats(session)
  byId('panels').inert = false
  addEventListener('online', () => session.wake())
  byId('wake', HTMLButtonElement).onclick = () => session.wake()
}

// A server with AUTH_SECRET lets nobody in without a token; an open one lets in everybody.
async function logIn() {
  const isLetIn = readTokens()
  for (;;) {
    const refusal = await session.knock()
    if (!refusal) return
    if (!session.isOpen) break
    say('status', refusal)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
  }
  byId('login').hidden = false
  say('status', 'This server wants a token.')
  byId('token').focus()
  await isLetIn
}

/** The form for a token, now and whenever the server wants another. Resolves once one was taken. */
function readTokens() {
  const form = byId('login')
  session.onRefused = (why) => {
    if (!form.hidden) return // what was wrong with the last one is still being read
    form.hidden = false
    say('login-problem', why)
  }
  return new Promise((resolve) => {
    onSubmit('login', async () => {
      const token = byId('token', HTMLInputElement)
      const refusal = await session.logIn(token.value.trim())
      say('login-problem', refusal)
      if (refusal) return
      token.value = ''
      form.hidden = true
      resolve(undefined)
    })
  })
}

/** @type {ReturnType<typeof setInterval> | undefined} */
let countdown

/** @param {import('./client.js').Status} status @param {number} delay @param {string} reason */
function showStatus(status, delay, reason) {
  clearInterval(countdown)
  byId('light').dataset.status = status
  byId('wake').hidden = status !== 'waiting'
  if (status === 'connected') {
    // They were of the time before.
    for (const problem of document.querySelectorAll('[role=alert]')) setText(problem, '')
  }
  const due = Date.now() + delay
  const why = reason && ` (${reason.replace(/^Error: /, '')})`
  const show = () => {
    const seconds = Math.max(0, Math.ceil((due - Date.now()) / 1_000))
    const offline = navigator.onLine ? '' : 'offline, '
    const words = {
      connecting: 'connecting …',
      connected: 'connected',
      closed: `disconnected${why}`,
      waiting: session.isRefused
        ? 'waiting for a token'
        : `${offline}reconnecting in ${seconds} s${why}`,
    }
    say('status', words[status])
  }
  show()
  if (status === 'waiting') countdown = setInterval(show, 1_000)
}

// The last actions in words. That a request is answered, and that it is over, is said aloud; messages
// have their own places for that.
function showWords() {
  /** Newest last. @type {{ line: HTMLElement, phase: number }[]} */
  const shown = []
  /** Also of those that made room. @type {WeakMap<Action, typeof shown[0]>} */
  const entries = new WeakMap()
  lanes.onAction = (action) => {
    if (action.lanes.length === 0) return
    const entry = entries.get(action) ?? begin()
    entries.set(action, entry)
    const words = describe(action)
    setText(entry.line, words)
    const phase = phaseOf(action)
    if (action.lanes[0]?.label.startsWith('POST') && phase > entry.phase) say('aloud', words)
    entry.phase = phase
  }

  // The oldest that is over makes room, or else the oldest.
  function begin() {
    const entry = { line: element('li'), phase: 0 }
    byId('words').prepend(entry.line)
    shown.push(entry)
    if (shown.length <= MAX_WORDS) return entry
    const over = shown.findIndex(({ phase }) => phase === 2)
    for (const { line } of shown.splice(Math.max(0, over), 1)) line.remove()
    return entry
  }
}

/** 0: not all are answered. 1: work goes on. 2: it is over. @param {Action} action */
function phaseOf({ lanes }) {
  if (lanes.some(({ calls }) => calls.some(({ to }) => to === undefined))) return 0
  return lanes.some(isLive) ? 1 : 2
}

// Each panel is named by its heading, and has code at its end.
function namePanels() {
  for (const panel of document.querySelectorAll('section')) {
    panel.ariaLabel = panel.querySelector('h2')?.textContent ?? ''
    const title = element('summary', {}, 'The code, and the commands')
    panel.querySelector('details')?.prepend(title)
  }
}

// The commands work as they stand, on this server: with AUTH_SECRET they need a token, which says who.
function showCommands() {
  const token = session.isOpen ? '' : ' -H "Authorization: Bearer $TOKEN"'
  for (const { firstChild: text } of document.querySelectorAll('.shell')) {
    if (!text?.nodeValue) continue
    const here = text.nodeValue.replaceAll('localhost:8000', location.host)
    const command = here.replace(/^(curl|npx wscat)/gm, `$1${token}`)
    text.nodeValue = token ? command.replaceAll('?user=alice', '') : command
  }
}
