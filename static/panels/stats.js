// The server’s figures, once a second, each with the last minute of it.

import { Chart } from '../chart.js'
import { byId, duration, setText } from '../dom.js'

/** @typedef {{ sockets: number, tasks: { queued: number, running: number }, requests: number,
 *   messages: number, delay: { p50: number, p99: number, max: number },
 *   memory: { rss: number, heap: number } }} Stats */
/** What the height of a chart stands for at least, what it shows, and that in words.
 * @typedef {{ least: number, values: (stats: Stats) => number[], words: (stats: Stats) => string }} Figure */

const MEBIBYTE = 1_048_576

/** @type {Record<string, Figure>} */
const FIGURES = {
  sockets: { least: 4, values: ({ sockets }) => [sockets], words: ({ sockets }) => `${sockets}` },
  tasks: {
    least: 8,
    values: ({ tasks }) => [tasks.running, tasks.queued],
    words: ({ tasks }) => `${tasks.running} run, ${tasks.queued} wait`,
  },
  requests: {
    least: 10,
    values: ({ requests }) => [requests],
    words: ({ requests }) => `${requests} a second`,
  },
  messages: {
    least: 10,
    values: ({ messages }) => [messages],
    words: ({ messages }) => `${messages} a second`,
  },
  delay: {
    least: 50,
    values: ({ delay }) => [delay.max, delay.p50],
    words: ({ delay }) => `at most ${duration(delay.max)}, usually ${duration(delay.p50)}`,
  },
  memory: {
    least: 64 * MEBIBYTE,
    values: ({ memory }) => [memory.rss, memory.heap],
    words: ({ memory }) =>
      `${Math.round(memory.rss / MEBIBYTE)} MiB, heap ${Math.round(memory.heap / MEBIBYTE)} MiB`,
  },
}

/** @param {import('../session.js').Session} session */
export function startStats(session) {
  const charts = [...document.querySelectorAll('[data-figure]')].flatMap((place) => {
    const figure = FIGURES[place.getAttribute('data-figure') ?? '']
    const words = place.querySelector('output')
    if (!figure || !words) return []
    return [{ figure, words, chart: new Chart(place, 2, figure.least) }]
  })
  session.subscribe('stats', {
    onMessage({ data }) {
      const stats = /** @type {Stats} */ (data)
      for (const { figure, words, chart } of charts) {
        chart.add(...figure.values(stats))
        setText(words, figure.words(stats))
      }
    },
    onError: () =>
      setText(byId('stats-problem', HTMLElement), 'Only an admin may see these figures.'),
  })
}
