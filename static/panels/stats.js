// The server’s figures, once a second, each in words and with the last minute of it.

import { Chart } from '../chart.js'
import { byId, duration, element, say, setText } from '../dom.js'

/** What it is called, what the height stands for at least, what is drawn, and how that is said.
 * @typedef {[name: string, least: number, values: (stats: Stats) => number[],
 *   words?: (first: number, second: number) => string]} Figure */

/** @type {Figure} */
const DELAY = [
  'Delay of the event loop',
  50,
  ({ delay }) => [delay.max, delay.p50],
  (most, usual) => `at most ${duration(most)}, usually ${duration(usual)}`,
]
/** @type {Figure[]} */
const FIGURES = [
  ['WebSockets', 4, ({ sockets }) => [sockets]],
  [
    'Tasks',
    8,
    ({ tasks }) => [tasks.running, tasks.queued],
    (running, queued) => `${running} run, ${queued} wait`,
  ],
  ['Requests a second', 10, ({ requests }) => [requests]],
  ['Messages a second', 10, ({ messages }) => [messages]],
  DELAY,
  [
    'Memory',
    67_108_864,
    ({ memory }) => [memory.rss, memory.heap],
    (all, heap) => `${mebibytes(all)}, heap ${mebibytes(heap)}`,
  ],
]

/** @param {number} bytes */
const mebibytes = (bytes) => `${Math.round(bytes / 1_048_576)} MiB`

/** @param {Session} session */
export function startStats(session) {
  const shown = [show('delay-curve', DELAY), ...FIGURES.map((figure) => show('charts', figure))]
  session.subscribe('stats', {
    onMessage({ data }) {
      for (const update of shown) update(/** @type {Stats} */ (data))
    },
    onError: () => say('stats-problem', 'Only an admin may see these figures.'),
  })
}

/** Returns what takes in the newest. @param {string} place @param {Figure} figure */
function show(place, [name, least, values, words = String]) {
  const output = element('output', {}, 'no figures yet')
  const figure = element('figure')
  const chart = new Chart(figure, least)
  figure.append(element('figcaption', {}, `${name}: `, output))
  byId(place).append(figure)
  return (/** @type {Stats} */ stats) => {
    const [first = 0, second = 0] = values(stats)
    chart.add(values(stats))
    setText(output, words(first, second))
  }
}
