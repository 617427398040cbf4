// The cursors of all who look at the page. Each move counts at its moment only: nothing keeps it, and
// whoever lags gets the newest.

import { byId, element, say } from '../dom.js'

/** @typedef {{ dot: HTMLElement, timer?: ReturnType<typeof setTimeout> }} Cursor */

const TOPIC = 'room:.cursors' // hidden from those who chat
const STEP = 0.05 // of the field
/** @type {Record<string, [number, number]>} */
const KEYS = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
}
const COLOURS = ['rising', 'call', 'succeeded', 'failed', 'retrying', 'socket'] // to tell people apart
const GONE_AFTER = 15_000 // milliseconds without a move

/** @param {Session} session */
export function startCursors(session) {
  const stage = byId('stage')
  /** @type {Map<string, Cursor>} */
  const cursors = new Map()
  let here = { x: 0.5, y: 0.5 }

  stage.onpointermove = ({ clientX, clientY }) => {
    const { left, top, width, height } = stage.getBoundingClientRect()
    move((clientX - left) / width, (clientY - top) / height)
  }
  stage.onkeydown = (event) => {
    const step = KEYS[event.key]
    if (!step) return
    event.preventDefault()
    move(here.x + step[0], here.y + step[1])
  }
  session.subscribe(TOPIC, {
    onStart: ({ count = 0 }) => sayCount(count),
    onMessage: ({ from = '', data }) => from !== session.user && show(from, data),
    onPresence({ left, count }) {
      for (const name of left) remove(name)
      sayCount(count)
    },
  })

  /** @param {number} x @param {number} y from 0 to 1 */
  function move(x, y) {
    here = { x: within(x), y: within(y) }
    session.hint(TOPIC, here)
    show(session.user, here) // one’s own needs no way there and back
  }

  /** @param {string} name @param {unknown} data */
  function show(name, data) {
    const { x, y } = /** @type {{ x?: unknown, y?: unknown }} */ (data ?? {})
    if (typeof x !== 'number' || typeof y !== 'number') return
    const cursor = cursors.get(name) ?? add(name)
    cursor.dot.style.left = `${within(x) * 100}%`
    cursor.dot.style.top = `${within(y) * 100}%`
    clearTimeout(cursor.timer)
    cursor.timer = setTimeout(() => remove(name), GONE_AFTER)
  }

  /** @param {string} name @returns {Cursor} */
  function add(name) {
    const sum = [...name].reduce((all, letter) => all + letter.charCodeAt(0), 0)
    const dot = element('span', { className: 'cursor' }, element('span', {}, name))
    dot.style.background = `var(--${COLOURS[sum % COLOURS.length]})`
    stage.append(dot)
    const cursor = { dot }
    cursors.set(name, cursor)
    return cursor
  }

  /** @param {string} name */
  function remove(name) {
    const cursor = cursors.get(name)
    clearTimeout(cursor?.timer)
    cursor?.dot.remove()
    cursors.delete(name)
  }

  /** @param {number} count */
  function sayCount(count) {
    const who = count === 1 ? 'Only you look' : `${count} people look`
    say('cursors-count', `${who} at this page.`)
  }
}

/** @param {number} value */
const within = (value) => Math.min(1, Math.max(0, value))
