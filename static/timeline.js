// Draws the lanes on a canvas, on one axis of time that begins with the first of them. It draws while
// something is under way, and stands still afterwards, so that it can be read at leisure.

import { byId, duration } from './dom.js'
import { isLive, now } from './lanes.js'

/** @typedef {import('./lanes.js').Lanes} Lanes */
/** @typedef {import('./lanes.js').Lane} Lane */

const SPANS = [6, 12, 20, 40, 80, 160].map((seconds) => seconds * 1_000) // milliseconds shown
const GRIDS = [1, 2, 4, 8, 16, 32].map((seconds) => seconds * 1_000) // one for each span
const [TALL, LEAST, BAR] = [40, 3, 13] // pixels: a lane with words, one among hundreds, and its bar
const [AXIS, SOCKET, SIDE] = [24, 30, 10] // pixels below, above and beside the lanes
const COLOURS = [
  'ink',
  'soft',
  'line',
  'card',
  'call',
  'waiting',
  'running',
  'rising',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
  'socket',
] // prettier-ignore

/** @typedef {'ink' | 'soft' | 'line' | 'card' | 'call' | 'waiting' | 'running' | 'rising' | 'retrying'
 *   | 'succeeded' | 'failed' | 'cancelled' | 'socket'} Colour */

export class Timeline {
  #canvas = byId('timeline', HTMLCanvasElement)
  #pen = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d'))
  #lanes
  /** @type {Record<string, string>} */
  #colours = {}
  /** @type {Partial<Record<Colour, CanvasPattern>>} */
  #hatches = {}
  #still = matchMedia('(prefers-reduced-motion: reduce)')
  #isDrawing = false
  #span = SPANS[0] ?? 0
  #start = 0

  /** @param {Lanes} lanes */
  constructor(lanes) {
    this.#lanes = lanes
    lanes.onChange = () => this.#wake()
    const restyle = () => {
      this.#readColours()
      this.#draw()
    }
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      matchMedia(query).addEventListener('change', restyle)
    }
    new ResizeObserver(() => {
      this.#fit()
      this.#draw()
    }).observe(this.#canvas)
    this.#fit()
    restyle()
  }

  #wake() {
    if (this.#isDrawing) return
    this.#isDrawing = true
    requestAnimationFrame(() => this.#frame())
  }

  #frame() {
    this.#draw()
    this.#isDrawing = this.#lanes.restsSince === undefined
    if (!this.#isDrawing) return
    // Where the system asks for no motion, the picture goes on once a second.
    if (this.#still.matches) setTimeout(() => this.#frame(), 1_000)
    else requestAnimationFrame(() => this.#frame())
  }

  #fit() {
    const { width, height } = this.#canvas.getBoundingClientRect()
    this.#canvas.width = width * devicePixelRatio
    this.#canvas.height = height * devicePixelRatio
    this.#hatches = {}
  }

  #readColours() {
    const style = getComputedStyle(this.#canvas)
    this.#colours = Object.fromEntries(
      COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`)]),
    )
    this.#hatches = {}
  }

  #draw() {
    const width = this.#canvas.width / devicePixelRatio
    const height = this.#canvas.height / devicePixelRatio
    const pen = this.#pen
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    pen.clearRect(0, 0, width, height)
    pen.font = `12px ${getComputedStyle(this.#canvas).fontFamily}`
    pen.textBaseline = 'middle'

    const time = this.#lanes.restsSince ?? now()
    const room = height - AXIS - SOCKET
    const shown = this.#choose(Math.floor(room / LEAST))
    this.#zoom(shown, time)
    const x = (/** @type {number} */ at) =>
      SIDE + ((at - this.#start) / this.#span) * (width - 2 * SIDE)
    this.#drawAxis(x, height, time)
    this.#drawTicks(x)

    const row = Math.min(TALL, room / Math.max(1, shown.length))
    pen.save()
    pen.beginPath()
    pen.rect(0, 0, width, height - AXIS)
    pen.clip()
    for (const [index, lane] of shown.entries()) {
      this.#drawLane(lane, { x, time, top: SOCKET + index * row, row, width })
    }
    pen.restore()
  }

  // As many as there is room for: first of all those that are not over.
  /** @param {number} most */
  #choose(most) {
    const { all } = this.#lanes
    if (all.length <= most) return all
    const live = all.filter(isLive).slice(0, most)
    const over = all.filter((lane) => !isLive(lane))
    const kept = new Set([...live, ...over.slice(Math.max(0, over.length + live.length - most))])
    return all.filter((lane) => kept.has(lane))
  }

  // The axis begins with the first lane, and takes in more time when that is full.
  /** @param {readonly Lane[]} shown @param {number} time */
  #zoom(shown, time) {
    const first = Math.min(...shown.map(beginOf), time)
    const needed = (time - first) * 1.04
    const target = SPANS.find((span) => span >= needed) ?? SPANS.at(-1) ?? 0
    const isAtOnce = this.#still.matches || target < this.#span || this.#start !== first
    this.#span = isAtOnce ? target : this.#span + (target - this.#span) * 0.15
    this.#start = Math.max(first, time - this.#span)
  }

  /** @param {(at: number) => number} x @param {number} height @param {number} time */
  #drawAxis(x, height, time) {
    const pen = this.#pen
    const origin = Math.min(...this.#lanes.all.map(beginOf), time)
    const grid = GRIDS[SPANS.findIndex((span) => span >= this.#span - 1)] ?? GRIDS.at(-1) ?? 0
    const bottom = height - AXIS
    pen.lineWidth = 1
    pen.textAlign = 'center'
    const from = Math.ceil((this.#start - origin) / grid) * grid
    for (let at = from; at <= this.#start - origin + this.#span; at += grid) {
      const left = Math.round(x(origin + at)) + 0.5
      this.#line('line', left, 0, left, bottom)
      this.#write('soft', `${at / 1_000} s`, Math.max(left, SIDE + 6), bottom + AXIS / 2)
    }
    if (this.#lanes.all.length === 0) return
    const left = Math.round(x(time)) + 0.5
    this.#line('ink', left, 0, left, bottom)
  }

  /** @param {(at: number) => number} x */
  #drawTicks(x) {
    const middle = SOCKET / 2
    this.#line('line', 0, middle + 0.5, this.#canvas.width, middle + 0.5)
    for (const { at, isSent } of this.#lanes.ticks) {
      if (at < this.#start) continue
      const left = Math.round(x(at)) + 0.5
      this.#line('socket', left, middle, left, middle + (isSent ? -9 : 9))
    }
  }

  /** @param {Lane} lane @param {{ x: (at: number) => number, time: number, top: number, row: number,
   *   width: number }} place */
  #drawLane(lane, { x, time, top, row, width }) {
    const isTall = row > BAR + 15
    const bar = Math.min(BAR, Math.max(2, row - (row > 8 ? 3 : 1)))
    const y = isTall ? top + 19 : top
    const box = (/** @type {number} */ from, /** @type {number} */ to, least = 1) =>
      /** @type {const} */ ([x(from), y, Math.max(least, x(to) - x(from)), bar])

    const { acceptedAt, endedAt, task } = lane
    if (acceptedAt !== undefined)
      this.#fill(this.#hatch('waiting'), box(acceptedAt, endedAt ?? time))
    for (const [index, { from, to }] of lane.attempts.entries()) {
      const before = lane.attempts[index - 1]
      if (before?.to) this.#fill(this.#hatch('retrying'), box(before.to, from))
      const isLast = index === lane.attempts.length - 1
      const risen =
        to === undefined ? (task?.progress ?? 0) : isLast && task?.state !== 'succeeded' ? 0 : 1
      this.#fill(this.#colours.running, box(from, to ?? time, 2))
      this.#rise(box(from, to ?? time, 2), risen)
      if (to !== undefined && (!isLast || endedAt === undefined))
        this.#end('failed', x(to), y + bar / 2, bar)
    }
    const last = lane.attempts.at(-1)
    if (task?.state === 'queued' && last?.to)
      this.#fill(this.#hatch('retrying'), box(last.to, time))
    for (const { from, to, status } of lane.calls) {
      this.#fill(this.#colours.call, box(from, to ?? time, row > 8 ? 4 : 2))
      if (to !== undefined && isTall) this.#reply(x(to), y, status ?? 0)
    }
    if (endedAt !== undefined && task) this.#end(task.state, x(endedAt), y + bar / 2, bar)
    if (isTall) this.#caption(lane, Math.max(SIDE, x(beginOf(lane))), top + 8, width)
  }

  // What is known of its progress, as a wedge that grows with it.
  /** @param {readonly [number, number, number, number]} box @param {number} progress */
  #rise([left, top, width, height], progress) {
    const pen = this.#pen
    pen.fillStyle = this.#colours.rising ?? ''
    pen.beginPath()
    pen.moveTo(left, top + height)
    pen.lineTo(left + width, top + height)
    pen.lineTo(left + width, top + height * (1 - progress))
    pen.fill()
  }

  // The reply: a flag at the moment at which it came.
  /** @param {number} left @param {number} y @param {number} status */
  #reply(left, y, status) {
    const pen = this.#pen
    const isGood = status >= 200 && status < 300
    pen.fillStyle = this.#colours[isGood ? 'ink' : 'failed'] ?? ''
    pen.beginPath()
    pen.moveTo(left - 5, y - 5)
    pen.lineTo(left + 5, y - 5)
    pen.lineTo(left, y + 3)
    pen.fill()
  }

  /** @param {string} state @param {number} x @param {number} y @param {number} bar */
  #end(state, x, y, bar) {
    const pen = this.#pen
    const radius = Math.min(7, bar / 2 + 0.5)
    pen.fillStyle = this.#colours[state] ?? this.#colours.cancelled ?? ''
    if (radius < 4) return pen.fillRect(x - 1, y - bar / 2, 3, bar)
    pen.beginPath()
    pen.arc(x, y, radius, 0, 7)
    pen.fill()
    pen.strokeStyle = this.#colours.card ?? ''
    pen.lineWidth = 1.5
    pen.beginPath()
    const half = radius / 2.4
    if (state === 'succeeded') {
      pen.moveTo(x - half, y)
      pen.lineTo(x - half / 4, y + half)
      pen.lineTo(x + half * 1.2, y - half)
    } else if (state === 'failed') {
      pen.moveTo(x - half, y - half)
      pen.lineTo(x + half, y + half)
      pen.moveTo(x + half, y - half)
      pen.lineTo(x - half, y + half)
    } else {
      pen.rect(x - half, y - half, 2 * half, 2 * half)
    }
    pen.stroke()
  }

  /** @param {Lane} lane @param {number} left @param {number} y @param {number} width */
  #caption(lane, left, y, width) {
    const pen = this.#pen
    const text = captionOf(lane)
    pen.textAlign = 'left'
    const room = width - SIDE - left
    const needed = pen.measureText(text).width
    this.#write('ink', text, needed > room ? Math.max(SIDE, width - SIDE - needed) : left, y)
  }

  /** @param {Colour} colour @param {string} text @param {number} x @param {number} y */
  #write(colour, text, x, y) {
    this.#pen.fillStyle = this.#colours[colour] ?? ''
    this.#pen.fillText(text, x, y)
  }

  /** @param {Colour} colour @param {number} x @param {number} y @param {number} toX @param {number} toY */
  #line(colour, x, y, toX, toY) {
    const pen = this.#pen
    pen.strokeStyle = this.#colours[colour] ?? ''
    pen.lineWidth = 1
    pen.beginPath()
    pen.moveTo(x, y)
    pen.lineTo(toX, toY)
    pen.stroke()
  }

  /** @param {string | CanvasPattern | undefined} style @param {readonly [number, number, number, number]} box */
  #fill(style, box) {
    this.#pen.fillStyle = style ?? ''
    this.#pen.fillRect(...box)
  }

  /** @param {'waiting' | 'retrying'} colour */
  #hatch(colour) {
    const made = this.#hatches[colour] ?? this.#makeHatch(colour)
    this.#hatches[colour] = made
    return made
  }

  /** @param {'waiting' | 'retrying'} colour */
  #makeHatch(colour) {
    const tile = new OffscreenCanvas(6, 6)
    const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (tile.getContext('2d'))
    pen.strokeStyle = this.#colours[colour] ?? ''
    pen.lineWidth = 1.6
    pen.beginPath()
    for (const shift of [-6, 0, 6]) {
      pen.moveTo(shift, 6)
      pen.lineTo(shift + 6, 0)
    }
    pen.stroke()
    return /** @type {CanvasPattern} */ (this.#pen.createPattern(tile, 'repeat'))
  }
}

/** @param {Lane} lane */
function beginOf({ calls, acceptedAt = Number.POSITIVE_INFINITY }) {
  return Math.min(calls[0]?.from ?? acceptedAt, acceptedAt)
}

/** @param {Lane} lane */
function captionOf(lane) {
  const { label, calls, task, attempts, endedAt } = lane
  const start = beginOf(lane)
  const [call] = calls
  const parts = [label]
  if (call?.to !== undefined) {
    const isLost = call.status === 0
    parts.push(isLost ? 'no answer' : `answered after ${duration(call.to - call.from)}`)
  }
  if (task && endedAt !== undefined) parts.push(`${task.state} after ${duration(endedAt - start)}`)
  else if (task?.state === 'running' && task.progress !== null)
    parts.push(`${Math.floor(task.progress * 100)} %`)
  else if (task?.state === 'queued')
    parts.push(attempts.length > 0 ? 'waiting to retry' : 'waiting')
  return parts.join(' · ')
}
