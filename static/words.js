// The same as the timeline draws, in words: of a lane beside its bar, of an action below.

import { duration } from './dom.js'
import { beginOf } from './lanes.js'

/** Whether it was answered, and not refused. @param {Call} [call] */
export const isGood = (call) => !!call?.status && call.status < 300

/** @param {Lane} lane */
export function captionOf(lane) {
  const { label, calls, task, attempts, endedAt } = lane
  const [call] = calls
  if (isRepeated(lane)) return `${label} · ${repeatsOf(calls)}`
  const parts = [label]
  if (call?.to !== undefined) {
    parts.push(call.status === 0 ? 'no answer' : `reply ${duration(call.to - call.from)}`)
  }
  if (endedAt !== undefined) {
    parts.push(`${stateOf(lane)} ${duration(endedAt - beginOf(lane))}`)
  } else if (task?.state === 'running' && task.progress !== null) {
    parts.push(`${Math.floor(task.progress * 100)} %`)
  } else if (task?.state === 'queued') {
    parts.push(attempts.length > 0 ? 'waiting to run again' : 'waiting')
  }
  return parts.join(' · ')
}

/** What was answered when, and finished when. @param {Action} action */
export function describe({ title, lanes, most }) {
  const calls = lanes.flatMap(({ calls: [first] }) => first ?? [])
  if (calls.some(({ to }) => to === undefined)) return `${title}: waiting for the answer …`
  if (calls.every(({ status }) => status === 0)) return `${title}: no answer came.`
  const refused = calls.filter((call) => !isGood(call)).map(refusalOf)
  if (refused.length === calls.length) return `${title}: ${tally(refused, '')}.`
  const parts = [answersOf(lanes)]
  if (refused.length > 0) parts.push(tally(refused))
  const tasks = lanes.filter(
    ({ task, makesTask, calls: [call] }) => task ?? (makesTask && isGood(call)),
  )
  if (tasks.length > 0) parts.push(endsOf(tasks))
  if (most > 1) parts.push(`at most ${most} at once`)
  return `${title}: ${parts.join(', ')}.`
}

/** @param {Call} call */
const refusalOf = ({ status }) => (status === 0 ? 'not answered' : `refused with ${status}`)

/** @param {Lane[]} lanes */
function answersOf(lanes) {
  const repeated = lanes.filter(isRepeated)
  if (repeated.length > 0) return repeatsOf(repeated.flatMap(({ calls }) => calls))
  const answers = lanes.flatMap(({ calls: [call] }) => (call?.status && call.to) || [])
  const all = lanes.length > 1 ? 'all ' : ''
  const some = answers.length < lanes.length ? `${answers.length} of ${lanes.length} ` : all
  return `${some}answered after ${duration(Math.max(...answers) - startOf(lanes))}`
}

/** Requests for no task, one after the other. @param {Lane} lane */
const isRepeated = ({ calls, task }) => !task && calls.length > 1

/** @param {Call[]} calls */
const repeatsOf = (calls) =>
  `${calls.length} requests, the slowest answered after ${duration(slowestOf(calls))}`

/** In milliseconds. @param {Call[]} calls */
export const slowestOf = (calls) => Math.max(...calls.map(({ from, to = from }) => to - from))

/** @param {Lane[]} tasks */
function endsOf(tasks) {
  const ends = tasks.flatMap(({ endedAt }) => endedAt ?? [])
  if (ends.length < tasks.length) {
    return tasks.length === 1 ? 'the work goes on' : `${ends.length} of ${tasks.length} over`
  }
  const words = tasks.map((lane) => stateOf(lane).replace('succeeded', 'finished'))
  const after = duration(Math.max(...ends) - startOf(tasks))
  return `${tally(words, tasks.length > 1 ? 'all ' : '')} after ${after}`
}

/** Of one that is over. @param {Lane} lane */
const stateOf = ({ task }) => (task?.endedAt ? task.state : 'forgotten')

/** How many of each. @param {string[]} words @param {string} [all] instead, if they are the same */
function tally(words, all) {
  const kinds = [...new Set(words)]
  if (kinds.length === 1 && all !== undefined) return all + kinds[0]
  return kinds.map((kind) => `${words.filter((word) => word === kind).length} ${kind}`).join(', ')
}

/** @param {Lane[]} lanes */
const startOf = (lanes) => Math.min(...lanes.map(beginOf))
