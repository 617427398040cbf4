// A small chart of the last minute: one figure, or two, once a second. The newest of it is said in
// words beside it, so the drawing itself is only for the eye.

const POINTS = 60
const [WIDTH, HEIGHT] = [240, 56] // of the drawing, which stretches
const SVG = 'http://www.w3.org/2000/svg'

export class Chart {
  #svg = document.createElementNS(SVG, 'svg')
  /** The values of each second, oldest first. @type {number[][]} */
  #seconds = []
  #least

  /** @param {Element} place @param {number} least what the height stands for at least */
  constructor(place, least) {
    this.#least = least
    this.#svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`)
    this.#svg.setAttribute('preserveAspectRatio', 'none')
    this.#svg.ariaHidden = 'true'
    place.append(this.#svg)
  }

  /** One more point of each line. @param {number[]} values */
  add(values) {
    this.#seconds.push(values)
    if (this.#seconds.length > POINTS) this.#seconds.shift()
    const top = Math.max(this.#least, ...this.#seconds.flat()) * 1.1
    const first = POINTS - this.#seconds.length
    const lines = values.map((_, line) => {
      const points = this.#seconds.map(({ [line]: value = 0 }, second) => {
        const x = ((first + second) / (POINTS - 1)) * WIDTH
        return `${x.toFixed(1)},${(HEIGHT - (value / top) * HEIGHT).toFixed(1)}`
      })
      const drawn = document.createElementNS(SVG, 'polyline')
      drawn.setAttribute('points', points.join(' '))
      return drawn
    })
    this.#svg.replaceChildren(...lines)
  }
}
