// Jobs: work after the reply, beside the same work in the request; a picture drawn in a thread, beside
// the same one drawn where everybody waits for it.

import { byId, duration, element, onSubmit, say } from '../dom.js'
import { now } from '../lanes.js'
import { resultOf } from '../result.js'
import { slowestOf } from '../words.js'

/** What the buttons send: what it is called, how many, and where to.
 * @type {Record<string, [string, number, string]>} */
const JOBS = {
  one: ['A job', 1, '/process'],
  ten: ['Ten jobs', 10, '/process'],
  twenty: ['Twenty jobs', 20, '/process'],
  hundred: ['A hundred jobs', 100, '/process'],
  recovers: ['A job that fails twice', 1, '/process?fail=2'],
  fails: ['A job that fails for good', 1, '/process?fail=3'],
  picture: ['A picture', 1, '/render'],
}
const PROBE_EVERY = 100 // milliseconds between two requests of somebody else
const LARGE = JSON.stringify({ x: -0.72, y: 0.1, zoom: 8, iterations: 1_800 })

/** @param {Session} session @param {Lanes} lanes @param {TaskList} tasks */
export function startJobs(session, lanes, tasks) {
  for (const form of ['jobs', 'more-jobs']) onSubmit(form, (value) => send(form, value))
  onSubmit('race', (value) => {
    if (value !== 'after') race('inside', 'Work in the request', '/process?wait=true')
    if (value !== 'inside') race('after', 'Work after the reply', '/process')
  })
  onSubmit('draw', (value) => draw(value === 'thread'))

  /** @param {string} form @param {string} button */
  async function send(form, button) {
    const [title, count, path] = JOBS[button] ?? ['A job', 1, '/process']
    const body = path === '/render' ? '{}' : byId('document', HTMLTextAreaElement).value
    const action = lanes.act(title)
    const calls = Array.from({ length: count }, () =>
      session.call(action, 'POST', path, { body, makesTask: true }),
    )
    const refused = (await Promise.all(calls)).filter(({ isOk }) => !isOk)
    const many =
      count > 1 && refused.length > 0 ? `${refused.length} of ${count} were not accepted. ` : ''
    say(`${form}-problem`, `${many}${refused[0]?.problem ?? ''}`)
  }

  /** @param {'inside' | 'after'} where @param {string} title @param {string} path */
  async function race(where, title, path) {
    const place = byId(where)
    if (place.ariaBusy) return
    place.ariaBusy = 'true'
    const makesTask = where === 'after'
    const action = lanes.act(title)
    const sent = session.call(action, 'POST', path, { body: '{"order": 42}', makesTask })
    const [lane] = action.lanes
    const passed = (end = now()) => duration(end - (lane?.since ?? end))
    const timer = setInterval(() => say(where, `no answer yet, after ${passed()}`), 100)
    const { isOk, data, problem } = await sent
    clearInterval(timer)
    place.ariaBusy = null
    if (!isOk) return say(where, problem)
    const answered = `answered after ${passed(lane?.calls[0]?.to)}`
    if (!makesTask) return say(where, `${answered}, with the work done`)
    say(where, `${answered}; the work goes on …`)
    const { state = 'is forgotten' } = (await tasks.ended(data.id)) ?? {}
    say(where, `${answered}; the work ${state} after ${passed(lane?.endedAt)}`)
  }

  /** @param {boolean} isInThread */
  async function draw(isInThread) {
    const where = isInThread ? 'in a thread' : 'on the main thread'
    const place = byId(isInThread ? 'in-thread' : 'on-main')
    if (place.ariaBusy) return
    place.ariaBusy = 'true'
    place.replaceChildren(element('p', {}, 'drawing …'))
    const action = lanes.act(`A picture, ${where}`)
    const path = isInThread ? '/render' : '/render?thread=false'
    const options = { body: LARGE, makesTask: true }
    const drawn = session.call(action, 'POST', path, options).then(async (reply) => {
      if (reply.isOk) await tasks.ended(reply.data.id)
      return reply
    })
    const slowest = await probe(`Others meanwhile, ${where}`, drawn)
    const { isOk, data, problem } = await drawn
    const words = isOk ? `Others waited for up to ${duration(slowest)}.` : problem
    const picture = isOk ? [await resultOf(session, data.id)] : []
    place.ariaBusy = null
    place.replaceChildren(element('p', {}, words), ...picture)
  }

  /** What everybody else feels until it is over: small requests, one after the other. Resolves to the
   * milliseconds that the slowest took. @param {string} title @param {Promise<unknown>} end */
  async function probe(title, end) {
    const action = lanes.act(title)
    let isOver = false
    end.then(() => {
      isOver = true
    })
    while (!isOver) {
      const { isOk } = await session.call(action, 'GET', '/healthz', { lane: action.lanes[0] })
      if (!isOk) break // the server is gone
      await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY))
    }
    return slowestOf(action.lanes.flatMap(({ calls }) => calls))
  }
}
