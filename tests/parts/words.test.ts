// What the page says of a lane and of an action: each case is a picture and its sentence.

import assert from 'node:assert/strict'
import { test } from 'node:test'

const { captionOf, describe } = await import(
  String(new URL('../../static/words.js', import.meta.url))
)

type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** Milliseconds since the action. */
interface Life {
  /** When the answer came, if it came. */
  to?: number
  status?: number
  state?: State
  endedAt?: number
  /** The server knows it no more. */
  isForgotten?: boolean
  progress?: number | null
  attempts?: number
}

/** The lane of a request for a task. */
function job(life: Life = {}) {
  const { to, status = 202, state, endedAt, isForgotten, progress = null, attempts = 0 } = life
  const answer = to === undefined ? {} : { to, status }
  const isOver = endedAt !== undefined && !isForgotten
  const task = state && { state, progress, endedAt: isOver ? 'then' : null }
  return {
    label: 'POST /process',
    since: 0,
    action: {},
    makesTask: true,
    calls: [{ from: 0, ...answer }],
    attempts: Array.from({ length: attempts }, () => ({})),
    ...(task && { task, acceptedAt: 1 }),
    ...(endedAt !== undefined && { endedAt }),
  }
}

/** The lane of requests that make no task: begin, end and status of each. */
function look(...calls: [from: number, to?: number, status?: number][]) {
  const [[since] = [0]] = calls
  const told = calls.map(([from, to, status = 200]) =>
    to === undefined ? { from } : { from, to, status },
  )
  return { label: 'GET /tasks', since, action: {}, makesTask: false, calls: told, attempts: [] }
}

/** The lane of a task that somebody else has sent. */
function stranger(life: Life) {
  const { action, ...lane } = job(life)
  return { ...lane, label: 'write-log, from elsewhere', calls: [], acceptedAt: 1 }
}

const times = (count: number, life: Life) => Array.from({ length: count }, () => job(life))

const DONE = { to: 5, state: 'succeeded', endedAt: 5_020 } as const

for (const [what, lanes, words, most = 1] of [
  ['one that waits for its answer', [job()], 'waiting for the answer …'],
  ['one that is accepted', [job({ to: 5 })], 'answered after 5 ms, the work goes on.'],
  [
    'one that waits for its turn',
    [job({ to: 5, state: 'queued' })],
    'answered after 5 ms, the work goes on.',
  ],
  ['one that runs', [job({ to: 5, state: 'running' })], 'answered after 5 ms, the work goes on.'],
  ['one that has succeeded', [job(DONE)], 'answered after 5 ms, finished after 5.02 s.'],
  [
    'one that has failed',
    [job({ ...DONE, state: 'failed' })],
    'answered after 5 ms, failed after 5.02 s.',
  ],
  [
    'one that was cancelled',
    [job({ ...DONE, state: 'cancelled' })],
    'answered after 5 ms, cancelled after 5.02 s.',
  ],
  ['one that was refused', [job({ to: 5, status: 503 })], 'refused with 503.'],
  ['one without an answer', [job({ to: 5, status: 0 })], 'no answer came.'],
  [
    'twenty of which one waits for its answer',
    [...times(19, { to: 5 }), job()],
    'waiting for the answer …',
  ],
  [
    'twenty that are accepted, and of which nothing is heard yet',
    times(20, { to: 5 }),
    'all answered after 5 ms, 0 of 20 over.',
  ],
  [
    'twenty of which some have finished',
    [...times(3, DONE), ...times(8, { to: 7, state: 'running' }), ...times(9, { to: 6 })],
    'all answered after 7 ms, 3 of 20 over, at most 8 at once.',
    8,
  ],
  [
    'twenty of which all that was heard of has finished',
    [...times(19, DONE), job({ to: 5 })],
    'all answered after 5 ms, 19 of 20 over.',
  ],
  [
    'twenty that have finished',
    [...times(19, DONE), job({ ...DONE, endedAt: 15_000 })],
    'all answered after 5 ms, all finished after 15.00 s, at most 8 at once.',
    8,
  ],
  [
    'twenty that have failed',
    times(20, { ...DONE, state: 'failed' }),
    'all answered after 5 ms, all failed after 5.02 s.',
  ],
  [
    'twenty of which some were refused',
    [...times(15, DONE), ...times(5, { to: 9, status: 503 })],
    'all answered after 9 ms, 5 refused with 503, all finished after 5.02 s.',
  ],
  [
    'twenty of which all but one were refused',
    [job({ to: 5, state: 'running' }), ...times(19, { to: 5, status: 503 })],
    'all answered after 5 ms, 19 refused with 503, the work goes on.',
  ],
  [
    'twenty of which some were refused for different reasons',
    [
      ...times(12, DONE),
      ...times(5, { to: 9, status: 503 }),
      ...times(1, { to: 9, status: 429 }),
      ...times(2, { to: 60_000, status: 0 }),
    ],
    '18 of 20 answered after 9 ms, 5 refused with 503, 1 refused with 429, 2 not answered, ' +
      'all finished after 5.02 s.',
  ],
  [
    'two of which one has no answer',
    [job(DONE), job({ to: 60_000, status: 0 })],
    '1 of 2 answered after 5 ms, 1 not answered, finished after 5.02 s.',
  ],
  [
    'three that were refused for different reasons',
    [...times(2, { to: 5, status: 503 }), job({ to: 5, status: 0 })],
    '2 refused with 503, 1 not answered.',
  ],
  ['three without an answer', times(3, { to: 5, status: 0 }), 'no answer came.'],
  ['twenty that were refused', times(20, { to: 5, status: 503 }), 'refused with 503.'],
  [
    'twenty that have ended differently',
    [...times(18, DONE), ...times(2, { ...DONE, state: 'cancelled', endedAt: 6_000 })],
    'all answered after 5 ms, 18 finished, 2 cancelled after 6.00 s.',
  ],
  [
    'one that was forgotten while it ran',
    [job({ to: 5, state: 'running', endedAt: 3_000, isForgotten: true })],
    'answered after 5 ms, forgotten after 3.00 s.',
  ],
  [
    'one that was forgotten before anything was heard of it',
    [job({ to: 5, endedAt: 3_000, isForgotten: true })],
    'answered after 5 ms, forgotten after 3.00 s.',
  ],
  [
    'three of which two were forgotten',
    [job(DONE), ...times(2, { to: 5, state: 'queued', endedAt: 6_000, isForgotten: true })],
    'all answered after 5 ms, 1 finished, 2 forgotten after 6.00 s.',
  ],
  ['a request without a task', [look([0, 2_345])], 'answered after 2.35 s.'],
  ['a request without a task that is refused', [look([0, 5, 401])], 'refused with 401.'],
  [
    'requests that are repeated',
    [look([0, 5], [105, 145], [245, 253])],
    '3 requests, the slowest answered after 40 ms.',
  ],
] as [what: string, lanes: object[], words: string, most?: number][]) {
  test(`of ${what} is said: ${words}`, () => {
    assert.equal(describe({ title: 'A click', lanes, most }), `A click: ${words}`)
  })
}

for (const [what, lane, words] of [
  ['a request under way', look([0]), 'GET /tasks'],
  ['a request that is answered', look([0, 5]), 'GET /tasks · reply 5 ms'],
  ['a request without an answer', look([0, 5, 0]), 'GET /tasks · no answer'],
  [
    'requests that are repeated',
    look([0, 5], [105, 145], [245]),
    'GET /tasks · 3 requests, the slowest answered after 40 ms',
  ],
  ['a job that is accepted', job({ to: 5 }), 'POST /process · reply 5 ms'],
  [
    'a job that waits for its turn',
    job({ to: 5, state: 'queued' }),
    'POST /process · reply 5 ms · waiting',
  ],
  ['a job that runs', job({ to: 5, state: 'running' }), 'POST /process · reply 5 ms'],
  [
    'a job that is almost there',
    job({ to: 5, state: 'running', progress: 0.999 }),
    'POST /process · reply 5 ms · 99 %',
  ],
  [
    'a job that failed and is tried again',
    job({ to: 5, state: 'queued', attempts: 1 }),
    'POST /process · reply 5 ms · waiting to run again',
  ],
  ['a job that has succeeded', job(DONE), 'POST /process · reply 5 ms · succeeded 5.02 s'],
  [
    'a job that has failed',
    job({ ...DONE, state: 'failed' }),
    'POST /process · reply 5 ms · failed 5.02 s',
  ],
  [
    'a job that was cancelled',
    job({ ...DONE, state: 'cancelled' }),
    'POST /process · reply 5 ms · cancelled 5.02 s',
  ],
  [
    'a job that was forgotten while it ran',
    job({ to: 5, state: 'running', endedAt: 3_000, isForgotten: true }),
    'POST /process · reply 5 ms · forgotten 3.00 s',
  ],
  [
    'a job that was forgotten before anything was heard of it',
    job({ to: 5, endedAt: 3_000, isForgotten: true }),
    'POST /process · reply 5 ms · forgotten 3.00 s',
  ],
  [
    'a task from elsewhere',
    stranger({ state: 'running', progress: 0.5 }),
    'write-log, from elsewhere · 50 %',
  ],
  [
    'a task from elsewhere that has ended',
    stranger({ state: 'succeeded', endedAt: 2_001 }),
    'write-log, from elsewhere · succeeded 2.00 s',
  ],
] as const) {
  test(`beside ${what} stands: ${words}`, () => {
    assert.equal(captionOf(lane), words)
  })
}
