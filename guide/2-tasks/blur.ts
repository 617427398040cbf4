// Image processing: a picture of 1,000 × 1,000 grey pixels is blurred. Pure arithmetic, no waiting.
// A thread imports this module to find the work, so nothing else may happen here.

import { defineTask } from '../../lib/definition.ts'

const SIZE = 1_000

function blur(rounds: number): string {
  let pixels = new Float64Array(SIZE * SIZE).map((_, at) => (at * 7_919) % 256)
  for (let round = 0; round < rounds; round++) {
    // Each pixel becomes the mean of itself and its four neighbours.
    pixels = pixels.map((own, at) => {
      const [above = own, below = own] = [pixels[at - SIZE], pixels[at + SIZE]]
      const [left = own, right = own] = [pixels[at - 1], pixels[at + 1]]
      return (own + above + below + left + right) / 5
    })
  }
  return `${SIZE} × ${SIZE} pixels`
}

export const blurHere = defineTask('blur-here', blur)
export const blurInThread = defineTask('blur', blur, { thread: new URL(import.meta.url) })
