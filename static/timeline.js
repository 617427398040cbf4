// Draws the lanes on one axis of time, which begins with the first of them. It moves while something is
// under way, and stands still afterwards, so that it can be read at leisure.

import { byId } from './dom.js'
import { beginOf, isLive, now } from './lanes.js'
import { Pen } from './pen.js'
import { captionOf, isGood } from './words.js'

/** Where a lane, or its bars, are drawn, and what time it is. @typedef {{ top: number, height: number, time: number }} Place */

const [SHORTEST, LONGEST, LINES] = [6_000, 192_000, 6] // milliseconds that the axis shows, and its lines
const [TALL, LEAST] = [40, 3] // pixels: a lane with room for words, and one among hundreds
const [BAR, CAPTION] = [13, 19] // pixels, of a lane with words
const [AXIS, SOCKET, SIDE] = [24, 30, 10] // pixels below, above and beside the lanes
const NEVER_RAN = /** @type {const} */ ('cancelled') // or forgotten: it has no attempt
const FLAGS = 4 // of one lane: more would only hide each other
const AFTER = 1_000 // milliseconds between two pictures, where the system asks for no motion

export class Timeline {
  #canvas = byId('timeline', HTMLCanvasElement)
  #pen = new Pen(this.#canvas)
  #lanes
  #still = matchMedia('(prefers-reduced-motion: reduce)')
  #isMoving = false
  #first = 0
  #start = 0 // of the axis
  #span = 0 // milliseconds
  #grid = 0 // milliseconds between two lines

  /** @param {Lanes} lanes */
  constructor(lanes) {
    this.#lanes = lanes
    lanes.onChange = () => this.#move()
    const refit = () => {
      this.#pen.fit()
      this.#draw()
    }
    new ResizeObserver(refit).observe(this.#canvas)
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      matchMedia(query).addEventListener('change', refit)
    }
  }

  #move() {
    if (this.#isMoving) return
    this.#isMoving = true
    requestAnimationFrame(() => this.#frame())
  }

  #frame() {
    this.#draw()
    this.#isMoving = this.#lanes.restsSince === undefined
    if (!this.#isMoving) return
    if (this.#still.matches) setTimeout(() => this.#frame(), AFTER)
    else requestAnimationFrame(() => this.#frame())
  }

  #draw() {
    const { width, height } = this.#pen
    if (width === 0 || height === 0) return // it is folded away
    const room = height - AXIS - SOCKET
    const time = this.#lanes.restsSince ?? now()
    const shown = this.#choose(Math.floor(room / LEAST))
    this.#pen.clear()
    if (shown.length === 0) {
      const words = 'Press “Send a job”: here it is drawn.'
      return this.#pen.write('soft', words, width / 2, height / 2, 'center')
    }
    this.#zoom(Math.min(...shown.map(beginOf)), time)
    this.#drawAxis(time)
    this.#drawTicks(time)
    const row = Math.min(TALL, room / shown.length)
    for (const [index, lane] of shown.entries()) {
      this.#drawLane(lane, { top: SOCKET + index * row, height: row, time })
    }
    const { length } = this.#lanes.all
    if (length > shown.length) {
      const words = `${shown.length} of ${length} are drawn`
      this.#pen.write('soft', words, this.#pen.width, SOCKET / 4)
    }
  }

  // As many as there is room for: the oldest of those under way, and the newest of the others.
  /** @param {number} most */
  #choose(most) {
    const { all } = this.#lanes
    if (all.length <= most) return all
    const live = all.filter(isLive).slice(0, most)
    const over = all.filter((lane) => !isLive(lane))
    const kept = new Set([...live, ...over.slice(Math.max(0, over.length + live.length - most))])
    return all.filter((lane) => kept.has(lane))
  }

  // The axis takes in more time when it is full.
  /** @param {number} first @param {number} time */
  #zoom(first, time) {
    const needed = (time - first) * 1.04
    let span = SHORTEST
    while (span < needed && span < LONGEST) span *= 2
    this.#grid = span / LINES
    const isGrowing = span > this.#span && first === this.#first && !this.#still.matches
    this.#span = isGrowing ? this.#span + (span - this.#span) * 0.15 : span
    this.#first = first
    this.#start = Math.max(first, time - this.#span)
  }

  /** @param {number} at milliseconds since 1970 */
  #x(at) {
    return SIDE + ((at - this.#start) / this.#span) * (this.#pen.width - 2 * SIDE)
  }

  /** @param {number} time */
  #drawAxis(time) {
    const bottom = this.#pen.height - AXIS
    const grid = this.#grid
    const skipped = Math.ceil((this.#start - this.#first) / grid) * grid
    for (let at = skipped; at <= this.#start - this.#first + this.#span; at += grid) {
      const x = this.#x(this.#first + at)
      this.#pen.upright('line', x, bottom)
      this.#pen.write('soft', `${at / 1_000} s`, Math.max(x, SIDE + 6), bottom + AXIS / 2, 'center')
    }
    this.#pen.upright('ink', this.#x(time), bottom)
  }

  /** @param {number} time */
  #drawTicks(time) {
    const middle = SOCKET / 2
    this.#pen.bar('line', [0, middle, this.#pen.width, 1])
    for (const { at, isSent } of this.#lanes.ticks) {
      if (at < this.#start || at > time) continue
      this.#pen.bar('socket', [this.#x(at), middle - (isSent ? 9 : 0), 1, 9])
    }
  }

  /** @param {Lane} lane @param {Place} place */
  #drawLane(lane, { top, height, time }) {
    const hasWords = height >= BAR + CAPTION
    const thick = hasWords ? BAR : Math.max(2, Math.min(BAR, height - (height > 8 ? 3 : 1)))
    const y = hasWords ? top + CAPTION : top
    this.#drawBars(lane, { top: y, height: thick, time }, height > 8 ? 4 : 2)
    if (hasWords) this.#drawWords(lane, top + 7, y)
  }

  /** @param {Lane} lane @param {Place} place @param {number} least pixels of a request */
  #drawBars({ acceptedAt, endedAt, attempts, calls, task }, { top, height, time }, least) {
    const pen = this.#pen
    /** @returns {import('./pen.js').Box} */
    const box = (/** @type {number} */ from, to = time, narrowest = 1) => {
      const x = this.#x(from)
      return [x, top, Math.max(narrowest, this.#x(to) - x), height]
    }
    if (acceptedAt !== undefined) pen.hatch('waiting', box(acceptedAt, endedAt))
    for (const [index, { from, to, progress }] of attempts.entries()) {
      const next = attempts[index + 1]?.from ?? (task?.state === 'queued' ? time : undefined)
      if (to !== undefined && next) pen.hatch('retrying', box(to, next))
      pen.bar('running', box(from, to, 2))
      pen.wedge(box(from, to, 2), progress)
    }
    for (const { from, to } of calls) pen.bar('call', box(from, to, least))
    const ends = attempts.length > 0 ? attempts : [{ to: endedAt, end: NEVER_RAN }]
    for (const { to, end } of ends) {
      if (to !== undefined && end) pen.end(end, this.#x(to), top + height / 2, height)
    }
  }

  /** @param {Lane} lane @param {number} middle of the words @param {number} top of the bars */
  #drawWords(lane, middle, top) {
    for (const call of lane.calls.slice(0, FLAGS)) {
      const colour = isGood(call) ? 'ink' : 'failed'
      if (call.to !== undefined) this.#pen.flag(colour, this.#x(call.to), top)
    }
    this.#pen.write('ink', captionOf(lane), Math.max(SIDE, this.#x(beginOf(lane))), middle)
  }
}
