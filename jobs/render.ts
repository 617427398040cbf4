// The jobs of `POST /render`: a picture of the Mandelbrot set. It is nothing but arithmetic, and would
// block the event loop for as long as it takes, so it runs in a thread. A second job shows just that.

import type { TaskContext } from '../lib/context.ts'
import { defineTask } from '../lib/definition.ts' // not all of tasks.ts: a thread needs no queue
import type { NumberField } from '../lib/numbers.ts'
import { encodePng } from '../lib/png.ts'

/** What a picture can be asked for. `x` and `y` are its middle; at zoom 1 the shorter side is 3 wide. */
export const VIEW = {
  width: { default: 640, least: 16, most: 2_000, isWhole: true }, // pixels
  height: { default: 480, least: 16, most: 2_000, isWhole: true },
  x: { default: -0.6, least: -4, most: 4, isWhole: false },
  y: { default: 0, least: -4, most: 4, isWhole: false },
  zoom: { default: 1, least: Number.MIN_VALUE, most: 1e15, isWhole: false },
  iterations: { default: 200, least: 1, most: 2_000, isWhole: true }, // then a point counts as inside
} satisfies Record<string, NumberField>

export type View = Record<keyof typeof VIEW, number>

/** Width × height × iterations on the event loop: 2 s if all points are inside, the slowest case. */
export const MOST_BLOCKING = 650_000_000

const COLOURS = 256 // the first is for the inside
const TIMEOUT = 120_000 // milliseconds

export const render = defineTask('render', draw, {
  thread: new URL(import.meta.url),
  timeout: TIMEOUT,
})

/** The same on the event loop, to show what the thread is for. */
export const renderBlocking = defineTask('render-blocking', draw, { concurrency: 1 })

function draw(view: View, context: TaskContext) {
  const { width, height, x, y, zoom, iterations } = view
  const step = 3 / zoom / Math.min(width, height) // of one pixel, in the plane
  const pixels = new Uint8Array(width * height)
  for (let row = 0; row < height; row++) {
    const imaginary = y - (row - height / 2) * step
    for (let column = 0; column < width; column++) {
      const real = x + (column - width / 2) * step
      pixels[row * width + column] = colourOf(stepsOf(real, imaginary, iterations), iterations)
    }
    context.progress((row + 1) / height, `row ${row + 1} of ${height}`)
  }
  return { type: 'image/png', bytes: encodePng(width, height, pixels, palette()) }
}

// How many steps it takes the point to get away; all of them if it does not.
function stepsOf(real: number, imaginary: number, most: number): number {
  let a = 0
  let b = 0
  let steps = 0
  while (steps < most && a * a + b * b <= 4) {
    const next = a * a - b * b + real
    b = 2 * a * b + imaginary
    a = next
    steps++
  }
  return steps
}

function colourOf(steps: number, iterations: number): number {
  return steps === iterations ? 0 : 1 + ((steps * 7) % (COLOURS - 1))
}

// From dark blue over white and back; the inside is black.
function palette(): Uint8Array {
  const colours = new Uint8Array(3 * COLOURS)
  for (let i = 1; i < COLOURS; i++) {
    const turn = (i / COLOURS) * 2 * Math.PI
    const colour = [0, 0.5, 1].map((shift) => 127.5 * (1 - Math.cos(turn + shift)))
    colours.set(colour, 3 * i)
  }
  return colours
}
