// A small chart of the last minute: one figure, or two, once a second. The newest of it is said in
// words beside it, so the drawing itself is only for the eye.

const POINTS = 60
const [WIDTH, HEIGHT] = [240, 56] // of the drawing, which stretches
const SVG = 'http://www.w3.org/2000/svg'

export class Chart {
  /** @type {number[][]} */
  #series
  #lines
  #least

  /**
   * @param {Element} place
   * @param {number} [series] how many lines
   * @param {number} [least] what the height stands for at least
   */
  constructor(place, series = 1, least = 1) {
    const svg = document.createElementNS(SVG, 'svg')
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('aria-hidden', 'true')
    this.#series = Array.from({ length: series }, () => [])
    this.#lines = this.#series.map(() => document.createElementNS(SVG, 'polyline'))
    this.#least = least
    svg.append(...this.#lines)
    place.append(svg)
  }

  /** One more point of each line. @param {...number} values */
  add(...values) {
    for (const [index, points] of this.#series.entries()) {
      points.push(values[index] ?? 0)
      if (points.length > POINTS) points.shift()
    }
    const top = Math.max(this.#least, ...this.#series.flat()) * 1.1
    for (const [index, points] of this.#series.entries()) {
      const first = POINTS - points.length
      const places = points.map((value, at) => {
        const x = ((first + at) / (POINTS - 1)) * WIDTH
        return `${x.toFixed(1)},${(HEIGHT - (value / top) * HEIGHT).toFixed(1)}`
      })
      this.#lines[index]?.setAttribute('points', places.join(' '))
    }
  }
}
