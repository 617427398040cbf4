// The server’s figures, once a second, each in words and with the last minute of it.

import { Chart } from '../chart.js'
import { byId, duration, element, say, setText } from '../dom.js'

/** Where it is shown, what it is called, what the height stands for at least, what is drawn, and in words.
 * @typedef {[place: string, name: string, least: number, values: (stats: Stats) => number[],
 *   words: (stats: Stats) => string]} Figure */

const mebibytes = (/** @type {number} */ bytes) => `${Math.round(bytes / 1_048_576)} MiB`
const late = (/** @type {Stats} */ { delay }) =>
  `at most ${duration(delay.max)}, usually ${duration(delay.p50)}`

/** @type {Figure[]} */
const FIGURES = [
  ['delay-curve', 'How late the event loop is', 50, ({ delay }) => [delay.max, delay.p50], late],
  ['charts', 'WebSockets', 4, ({ sockets }) => [sockets], ({ sockets }) => `${sockets}`],
  [
    'charts',
    'Tasks',
    8,
    ({ tasks }) => [tasks.running, tasks.queued],
    ({ tasks }) => `${tasks.running} run, ${tasks.queued} wait`,
  ],
  [
    'charts',
    'Requests a second',
    10,
    ({ requests }) => [requests],
    ({ requests }) => `${requests}`,
  ],
  [
    'charts',
    'Messages a second',
    10,
    ({ messages }) => [messages],
    ({ messages }) => `${messages}`,
  ],
  ['charts', 'Delay of the event loop', 50, ({ delay }) => [delay.max, delay.p50], late],
  [
    'charts',
    'Memory',
    67_108_864,
    ({ memory }) => [memory.rss, memory.heap],
    ({ memory }) => `${mebibytes(memory.rss)}, heap ${mebibytes(memory.heap)}`,
  ],
]

/** @param {Session} session */
export function startStats(session) {
  const charts = FIGURES.map(([place, name, least, values, words]) => {
    const output = element('output', { textContent: 'no figures yet' })
    const figure = element('figure', {}, element('figcaption', {}, `${name}: `, output))
    byId(place).append(figure)
    return { chart: new Chart(figure, 2, least), output, values, words }
  })
  session.subscribe('stats', {
    onMessage({ data }) {
      const stats = /** @type {Stats} */ (data)
      for (const { chart, output, values, words } of charts) {
        chart.add(...values(stats))
        setText(output, words(stats))
      }
    },
    onError: () => say('stats-problem', 'Only an admin may see these figures.'),
  })
}
