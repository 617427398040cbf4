// What the timeline is drawn with: bars, hatches, flags and marks on a canvas, in the page’s colours.

import { element } from './dom.js'

/** @typedef {'ink' | 'soft' | 'line' | 'card' | 'call' | 'waiting' | 'running' | 'rising' | 'retrying'
 *   | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'socket'} Colour */
/** Left, top, width and height in pixels. @typedef {readonly [number, number, number, number]} Box */

const SIGNS = { succeeded: '✓', failed: '✕', cancelled: '▪', interrupted: '‖' }

export class Pen {
  #canvas
  #context
  #style
  /** @type {Map<Colour, CanvasPattern | null>} */
  #hatches = new Map()
  /** @type {Map<Colour, string>} */
  #colours = new Map()
  width = 0
  height = 0

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
    this.#style = getComputedStyle(canvas) // it lives, and follows the theme
  }

  /** To be called when the size or the colours have changed. */
  fit() {
    const { width, height } = this.#canvas.getBoundingClientRect()
    const context = this.#context
    Object.assign(this, { width, height })
    this.#canvas.width = width * devicePixelRatio
    this.#canvas.height = height * devicePixelRatio
    this.#hatches.clear()
    this.#colours.clear()
    context.scale(devicePixelRatio, devicePixelRatio)
    context.font = `12px ${this.#style.fontFamily}`
    context.textBaseline = 'middle'
  }

  clear() {
    this.#context.clearRect(0, 0, this.width, this.height)
  }

  /** @param {Colour} colour @param {Box} box */
  bar(colour, box) {
    this.#context.fillStyle = this.#colour(colour)
    this.#context.fillRect(...box)
  }

  /** A bar in which nothing is done. @param {Colour} colour @param {Box} box */
  hatch(colour, box) {
    const hatch = this.#hatches.get(colour) ?? this.#makeHatch(colour)
    this.#hatches.set(colour, hatch)
    this.#context.fillStyle = hatch ?? this.#colour(colour)
    this.#context.fillRect(...box)
  }

  /** How far it is: a wedge that has risen so far, from 0 to 1. @param {Box} box @param {number} risen */
  wedge([left, top, width, height], risen) {
    const [right, bottom] = [left + width, top + height]
    this.#fill('rising', [left, bottom], [right, bottom], [right, bottom - height * risen])
  }

  /** The reply, from above. @param {Colour} colour @param {number} x @param {number} y */
  flag(colour, x, y) {
    this.#fill(colour, [x - 5, y - 5], [x + 5, y - 5], [x, y + 3])
  }

  /** An end, with a sign for those who can’t tell the colours. `y` is its middle.
   * @param {keyof typeof SIGNS} end @param {number} x @param {number} y @param {number} height */
  end(end, x, y, height) {
    const context = this.#context
    if (height < 8) return this.bar(end, [x - 1, y - height / 2, 3, height])
    context.fillStyle = this.#colour(end)
    context.beginPath()
    context.arc(x, y, 7, 0, 7)
    context.fill()
    context.fillStyle = this.#colour('card')
    context.textAlign = 'center'
    context.fillText(SIGNS[end], x, y + 1)
  }

  /** @param {Colour} colour @param {number} x @param {number} bottom */
  upright(colour, x, bottom) {
    this.bar(colour, [Math.round(x), 0, 1, bottom])
  }

  /** Cut to the room that there is. @param {Colour} colour @param {string} text @param {number} x
   * @param {number} y @param {CanvasTextAlign} [align] */
  write(colour, text, x, y, align = 'left') {
    const context = this.#context
    context.fillStyle = this.#colour(colour)
    context.textAlign = align
    const needed = context.measureText(text).width
    const left = align === 'left' ? Math.max(0, Math.min(x, this.width - needed)) : x
    context.fillText(text, left, y, this.width)
  }

  /** @param {Colour} colour @param {...[number, number]} points */
  #fill(colour, ...points) {
    const context = this.#context
    context.fillStyle = this.#colour(colour)
    context.beginPath()
    for (const point of points) context.lineTo(...point)
    context.fill()
  }

  /** @param {Colour} colour */
  #makeHatch(colour) {
    const tile = element('canvas', { width: 6, height: 6 })
    const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'))
    context.strokeStyle = this.#colour(colour)
    context.lineWidth = 1.6
    for (const shift of [-6, 0, 6]) {
      context.moveTo(shift, 6)
      context.lineTo(shift + 6, 0)
    }
    context.stroke()
    return this.#context.createPattern(tile, 'repeat')
  }

  /** @param {Colour} colour */
  #colour(colour) {
    const known = this.#colours.get(colour)
    if (known) return known
    const value = this.#style.getPropertyValue(`--${colour}`)
    this.#colours.set(colour, value)
    return value
  }
}
