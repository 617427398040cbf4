// What the page's timeline draws, as data. The clock stands still until a test lets time pass; all
// times are milliseconds since the test began.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Task } from '../../lib/task.ts'

interface Call {
  from: number
  to?: number
  status?: number
}

interface Attempt {
  number: number
  from: number
  to?: number
  end?: string
  progress: number
}

interface Lane {
  label: string
  since: number
  action?: Action
  calls: Call[]
  attempts: Attempt[]
  task?: Task
  acceptedAt?: number
  endedAt?: number
}

interface Action {
  title: string
  lanes: Lane[]
  most: number
}

interface Sent {
  lane: Lane
  call: Call
}

interface Lanes {
  all: Lane[]
  ticks: { at: number; isSent: boolean }[]
  onChange: () => void
  onAction: (action: Action) => void
  readonly restsSince: number | undefined
  readonly unheard: string[]
  act(title: string): Action
  call(
    action: Action,
    label: string,
    options?: { makesTask?: boolean; ofTask?: string; lane?: Lane },
  ): Sent
  answered(sent: Sent, status: number, id?: string): void
  heard(tasks: readonly Task[]): void
  forget(id: string): void
  tick(isSent: boolean): void
}

const { Lanes, beginOf, isLive } = await import(
  String(new URL('../../static/lanes.js', import.meta.url))
)

const START = Date.parse('2030-01-01T00:00:00Z')
const HOUR = 3_600_000

/** Times as on this clock. */
interface Times {
  created?: number
  started?: number
  ended?: number
}

/** Lanes at a time that passes when told to, and a server whose clock is `ahead` by so much. */
function startLanes(t: TestContext, ahead = 0) {
  let at = START
  t.mock.method(performance, 'now', () => at - performance.timeOrigin)
  const lanes: Lanes = new Lanes()
  const iso = (time?: number) =>
    time === undefined ? null : new Date(START + time + ahead).toISOString()

  const pass = (milliseconds: number) => {
    at += milliseconds
  }

  /** A task is told of, at this moment. */
  const hear = (
    id: string,
    state: Task['state'],
    { created = 0, started, ended }: Times = {},
    changes: Partial<Task> = {},
  ) => {
    const attempt = started === undefined ? 0 : 1
    const times = { createdAt: iso(created)!, startedAt: iso(started), endedAt: iso(ended) }
    const others = { cancelling: false, attempts: 3, progress: null, note: null, result: null }
    const rest = { error: null, runAt: null, attempt, ...others, ...times, ...changes }
    lanes.heard([{ id, name: 'write-log', state, ...rest }])
  }

  /** One click on a button for a job. */
  const send = (action = lanes.act('A job')) => {
    const sent = lanes.call(action, 'POST /process', { makesTask: true })
    return { ...sent, answer: (id?: string, status = 202) => lanes.answered(sent, status, id) }
  }

  /** A job that was accepted as the task `id`. */
  const accept = (id: string, action?: Action) => {
    const { lane, answer } = send(action)
    answer(id)
    return lane
  }

  return { lanes, pass, hear, send, accept }
}

/** Milliseconds since the test began. */
const since = (time: number | undefined) =>
  time === undefined ? undefined : Math.round(time - START)

/** Number, begin, end and outcome of each attempt. */
const attemptsOf = ({ attempts }: Lane) =>
  attempts.map(({ number, from, to, end }) => [number, since(from), since(to), end])

// — requests —

test('a request is under way until it is answered', (t) => {
  const { lanes, pass } = startLanes(t)
  const action = lanes.act('A look')

  const sent = lanes.call(action, 'GET /tasks')
  const wasLive = lanes.all.some(isLive)
  pass(5)
  lanes.answered(sent, 200)

  assert.ok(wasLive)
  assert.ok(!lanes.all.some(isLive))
  assert.deepEqual(lanes.all, [sent.lane])
  assert.deepEqual(action.lanes, [sent.lane])
  assert.equal(sent.lane.label, 'GET /tasks')
  assert.deepEqual([since(sent.call.from), since(sent.call.to), sent.call.status], [0, 5, 200])
})

test('requests that are repeated share a lane, which begins with the first', (t) => {
  const { lanes, pass } = startLanes(t)
  const action = lanes.act('Others')

  const { lane } = lanes.call(action, 'GET /healthz')
  pass(100)
  const again = lanes.call(action, 'GET /healthz', { lane })
  lanes.answered(again, 200)

  assert.equal(again.lane, lane)
  assert.deepEqual(action.lanes, [lane])
  assert.deepEqual(
    lane.calls.map(({ from, to }) => [since(from), since(to)]),
    [
      [0, undefined],
      [100, 100],
    ],
  )
  assert.equal(since(beginOf(lane)), 0)
  assert.ok(isLive(lane)) // the first is not answered
})

test('whoever listens hears each change, and of the actions that it is about', (t) => {
  const { lanes, accept, hear } = startLanes(t)
  const heard: string[] = []
  lanes.onChange = () => heard.push('change')
  lanes.onAction = ({ title }) => heard.push(title)

  accept('a', lanes.act('Mine'))
  hear('a', 'running', { started: 0 })
  hear('b', 'running', { started: 0 })

  assert.deepEqual(heard, ['Mine', 'change', 'Mine', 'change', 'Mine', 'change', 'change'])
})

// — whose task it is —

test('a task is found by the id of its reply', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)

  const [one, other] = [accept('a'), accept('b')]
  pass(10)
  hear('b', 'running', { started: 5 })

  assert.equal(one.task, undefined)
  assert.equal(other.task?.id, 'b')
  assert.equal(lanes.all.length, 2)
  assert.ok(lanes.all.some(isLive))
})

test('a task is found also if the socket tells of it before the reply comes', (t) => {
  const { lanes, pass, send, hear } = startLanes(t)
  const { lane, answer } = send()

  pass(10)
  hear('a', 'queued', { created: 5 })
  hear('a', 'running', { created: 5, started: 8 })
  assert.deepEqual(lanes.all, [lane])
  pass(10)
  answer('a')

  assert.deepEqual(lanes.all, [lane])
  assert.deepEqual(attemptsOf(lane), [[1, 8, undefined, undefined]])
  assert.equal(since(lane.acceptedAt), 5)
})

test('a task is found also if it has ended by the time the reply comes', (t) => {
  const { lanes, pass, send, hear } = startLanes(t)
  const { lane, answer } = send()

  pass(20)
  hear('a', 'succeeded', { created: 5, started: 8, ended: 12 })
  pass(10)
  answer('a')

  assert.deepEqual(lanes.all, [lane])
  assert.deepEqual(attemptsOf(lane), [[1, 8, 12, 'succeeded']])
  assert.equal(since(lane.endedAt), 12)
  assert.ok(!lanes.all.some(isLive))
})

test('what waits for the reply that names it finds its lane among many', (t) => {
  const { lanes, pass, send, hear } = startLanes(t)
  const action = lanes.act('Three jobs')
  const [first, second, third] = [send(action), send(action), send(action)]

  pass(10)
  for (const id of ['a', 'b', 'c']) hear(id, 'running', { started: 5 })
  third!.answer('c')
  first!.answer('a')
  const before = lanes.all.length
  second!.answer('b')

  assert.equal(before, 3)
  assert.deepEqual(
    lanes.all.map(({ task }) => task?.id),
    ['a', 'b', 'c'],
  )
})

test('a task from elsewhere gets a lane of its own, and one that has ended does not', (t) => {
  const { lanes, pass, hear } = startLanes(t)
  pass(10_000)

  hear('over', 'succeeded', { started: 1, ended: 2 })
  hear('live', 'running', { created: 9_500, started: 9_600 })

  assert.equal(lanes.all.length, 1)
  const [lane] = lanes.all
  assert.equal(lane!.task?.id, 'live')
  assert.equal(lane!.action, undefined)
  assert.equal(lane!.label, 'write-log, from elsewhere')
  assert.equal(since(beginOf(lane)), 9_500)
})

test('a task from elsewhere that is old begins with its news', (t) => {
  const { lanes, pass, hear } = startLanes(t)
  pass(HOUR)

  hear('old', 'running', { started: 5 })

  assert.equal(since(beginOf(lanes.all[0])), HOUR - 1_000)
})

test('whether a task is from elsewhere is decided when all replies are there', (t) => {
  const { lanes, send, hear } = startLanes(t)
  const { answer } = send()

  hear('a', 'running', { started: 0 })
  hear('theirs', 'running', { started: 0 })
  hear('brief', 'succeeded', { started: 0, ended: 0 })
  const before = lanes.all.length
  answer('a')

  assert.equal(before, 1)
  assert.deepEqual(
    lanes.all.map(({ task, action }) => [task?.id, action?.title]),
    [
      ['a', 'A job'],
      ['theirs', undefined],
    ],
  )
})

for (const [status, what] of [
  [503, 'refused'],
  [0, 'not answered'],
] as const) {
  test(`of a request that was ${what} no task is expected any more`, (t) => {
    const { lanes, send, hear } = startLanes(t)
    const { lane, answer } = send()

    hear('theirs', 'running', { started: 0 })
    answer(undefined, status)

    assert.equal(lane.calls[0]?.status, status)
    assert.equal(lane.task, undefined)
    assert.ok(!isLive(lane))
    assert.equal(lanes.all[1]?.task?.id, 'theirs')
  })
}

test('a request about a task that has a lane is drawn in this lane', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })
  const action = lanes.act('Cancel')

  pass(100)
  const sent = lanes.call(action, 'DELETE /tasks/a', { ofTask: 'a' })
  lanes.answered(sent, 202, 'a')

  assert.equal(sent.lane, lane)
  assert.equal(lane.calls.length, 2)
  assert.deepEqual(action.lanes, [])
})

test('a task that is retried is found also if the socket tells of it before the reply comes', (t) => {
  const { lanes, pass, hear } = startLanes(t)
  pass(HOUR)
  const sent = lanes.call(lanes.act('Retry'), 'POST /tasks/old/retry', { ofTask: 'old' })

  hear('old', 'running', { started: HOUR })
  lanes.answered(sent, 202, 'old')
  hear('old', 'succeeded', { started: HOUR, ended: HOUR })

  assert.deepEqual(lanes.all, [sent.lane])
  assert.ok(!lanes.all.some(isLive))
})

test('a task that is retried is found also if it was heard of while another reply was due', (t) => {
  const { lanes, send, hear } = startLanes(t)
  const { answer } = send()
  hear('theirs', 'running', { started: 0 })
  const sent = lanes.call(lanes.act('Cancel'), 'DELETE /tasks/theirs', { ofTask: 'theirs' })

  answer('a')
  lanes.answered(sent, 202, 'theirs')

  assert.equal(lanes.all.length, 2)
  assert.equal(sent.lane.task?.id, 'theirs')
})

// — attempts —

test('each attempt has its begin, its end and its outcome', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  pass(100)
  hear('a', 'running', { started: 50 })
  pass(1_000) // 1,100
  hear('a', 'queued', { started: 50 })
  pass(1_000)
  hear('a', 'running', { started: 2_050 }, { attempt: 2 })
  pass(1_000)
  hear('a', 'succeeded', { started: 2_050, ended: 3_050 }, { attempt: 2 })

  assert.deepEqual(attemptsOf(lane), [
    [1, 50, 1_100, 'failed'],
    [2, 2_050, 3_050, 'succeeded'],
  ])
  assert.equal(since(lane.endedAt), 3_050)
})

test('of a pause between two attempts that was missed, the first ends where the second begins', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  hear('a', 'running', { started: 0 })
  pass(2_000)
  hear('a', 'running', { started: 1_900 }, { attempt: 2 })

  assert.deepEqual(attemptsOf(lane), [
    [1, 0, 1_900, 'failed'],
    [2, 1_900, undefined, undefined],
  ])
})

test('an attempt that a crash of the server has ended is interrupted, and has not failed', (t) => {
  const { pass, hear, accept } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })
  pass(100)

  hear('a', 'queued') // it does not count, so it is as if it had not been
  pass(100)
  hear('a', 'running', { started: 200 })

  assert.deepEqual(
    lane.attempts.map(({ end }) => end),
    ['interrupted', undefined],
  )
})

test('of an attempt that is heard of when it has failed already, the end is the news', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  pass(100)
  hear('a', 'queued', { started: 20 })

  assert.deepEqual(attemptsOf(lane), [[1, 20, 100, 'failed']])
  assert.ok(isLive(lane))
})

test('what is cancelled before it has begun has no attempt', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  hear('a', 'queued')
  pass(100)
  hear('a', 'cancelled', { ended: 90 })

  assert.deepEqual(lane.attempts, [])
  assert.equal(since(lane.endedAt), 90)
  assert.ok(!isLive(lane))
})

test('what is cancelled between two attempts ends later than its attempt', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  hear('a', 'running', { started: 0 })
  pass(100)
  hear('a', 'queued', { started: 0 })
  pass(400)
  hear('a', 'cancelled', { started: 0, ended: 490 })

  assert.deepEqual(attemptsOf(lane), [[1, 0, 100, 'failed']])
  assert.equal(since(lane.endedAt), 490)
})

test('what is cancelled, and retried by hand, goes on with a new attempt', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  hear('a', 'running', { started: 0 })
  pass(1_000)
  hear('a', 'cancelled', { started: 0, ended: 900 })
  const wasLive = isLive(lane)
  pass(4_000)
  hear('a', 'queued')
  hear('a', 'running', { started: 5_000 })

  assert.ok(!wasLive)
  assert.ok(isLive(lane))
  assert.equal(lane.endedAt, undefined)
  assert.deepEqual(attemptsOf(lane), [
    [1, 0, 900, 'cancelled'],
    [1, 5_000, undefined, undefined],
  ])
})

test('an attempt has the progress that it told last, and all of it once it has succeeded', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  const progress = () => lane.attempts.map((attempt) => attempt.progress)

  hear('a', 'running', { started: 0 })
  assert.deepEqual(progress(), [0])
  hear('a', 'running', { started: 0 }, { progress: 0.25 })
  assert.deepEqual(progress(), [0.25])
  hear('a', 'queued', { started: 0 })
  assert.deepEqual(progress(), [0.25])
  pass(2_000)
  hear('a', 'running', { started: 2_000 }, { attempt: 2, progress: 0.5 })
  hear('a', 'succeeded', { started: 2_000, ended: 2_000 }, { attempt: 2, progress: 0.5 })
  assert.deepEqual(progress(), [0.25, 1])
})

test('the most that ran at the same time are counted, not all that ran', (t) => {
  const { lanes, accept, hear } = startLanes(t)
  const action = lanes.act('Three jobs')
  for (const id of ['a', 'b', 'c']) accept(id, action)

  hear('a', 'running', { started: 0 })
  hear('b', 'running', { started: 0 })
  hear('theirs', 'running', { started: 0 })
  hear('a', 'succeeded', { started: 0, ended: 0 })
  hear('c', 'running', { started: 0 })

  assert.equal(action.most, 2)
})

test('what is retried by hand at once has a new attempt, too', (t) => {
  const { pass, accept, hear } = startLanes(t)
  const lane = accept('a')

  hear('a', 'running', { started: 0 })
  pass(100)
  hear('a', 'cancelled', { started: 0, ended: 90 })
  pass(400)
  hear('a', 'queued')
  hear('a', 'running', { started: 500 })

  assert.deepEqual(attemptsOf(lane), [
    [1, 0, 90, 'cancelled'],
    [1, 500, undefined, undefined],
  ])
})

test('an attempt stays the same one when more is known of the server’s clock', (t) => {
  const { lanes, accept, hear } = startLanes(t, -HOUR)
  hear('theirs', 'running', { started: 0 })

  accept('a')
  hear('a', 'queued')
  hear('theirs', 'running', { started: 0 }, { progress: 0.5 })

  assert.deepEqual(attemptsOf(lanes.all[0]!), [[1, 0, undefined, undefined]])
})

test('a task from elsewhere begins where it did, also when it is cancelled from here', (t) => {
  const { lanes, pass, hear } = startLanes(t)
  hear('theirs', 'running', { started: 0 })
  const [lane] = lanes.all

  pass(2_000)
  const { lane: same } = lanes.call(lanes.act('Cancel'), 'DELETE /tasks/theirs', {
    ofTask: 'theirs',
  })

  assert.equal(same, lane)
  assert.equal(since(beginOf(lane)), 0)
})

// — clocks —

for (const [ahead, what] of [
  [HOUR, 'an hour ahead'],
  [-HOUR, 'an hour behind'],
  [0, 'right'],
] as const) {
  test(`a server whose clock is ${what} accepts between request and reply`, (t) => {
    const { pass, send, hear } = startLanes(t, ahead)
    const { lane, answer } = send()

    pass(10)
    answer('a')
    pass(90)
    hear('a', 'running', { created: 4, started: 14 })
    pass(2_000)
    hear('a', 'succeeded', { created: 4, started: 14, ended: 2_014 })

    const accepted = since(lane.acceptedAt)!
    assert.ok(accepted >= 0 && accepted <= 10, `${accepted}`)
    assert.deepEqual(attemptsOf(lane), [[1, accepted + 10, accepted + 2_010, 'succeeded']])
    assert.equal(since(lane.endedAt), accepted + 2_010)
  })
}

test('what is known of the server’s clock holds for those that come later, and gets better', (t) => {
  const { lanes, pass, send, hear } = startLanes(t, HOUR)
  const action = lanes.act('Two jobs')
  const [slow, quick] = [send(action), send(action)]
  pass(2)
  quick.answer('quick')
  pass(98)
  slow.answer('slow')

  hear('slow', 'running', { created: 1, started: 50 })
  hear('quick', 'running', { created: 1, started: 50 })
  hear('theirs', 'running', { created: 40, started: 60 })

  assert.ok(Math.abs(since(quick.lane.acceptedAt)! - 1) <= 1)
  assert.ok(Math.abs(since(lanes.all[2]!.acceptedAt)! - 40) <= 1)
})

test('a retry by hand of an old task moves neither the clock nor the begin of the axis', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  pass(HOUR)
  const sent = lanes.call(lanes.act('Retry'), 'POST /tasks/old/retry', { ofTask: 'old' })
  pass(5)
  lanes.answered(sent, 202, 'old')

  hear('old', 'queued')
  hear('old', 'running', { started: HOUR + 4 })
  const fresh = accept('new')
  hear('new', 'queued', { created: HOUR + 5 })

  assert.equal(since(beginOf(sent.lane)), HOUR)
  assert.equal(since(sent.lane.acceptedAt), HOUR)
  assert.deepEqual(attemptsOf(sent.lane), [[1, HOUR + 4, undefined, undefined]])
  assert.equal(since(fresh.acceptedAt), HOUR + 5)
})

test('an answer that was long in coming stays in the picture, whoever’s task comes with it', (t) => {
  const { lanes, pass, send, hear } = startLanes(t)
  const { lane, answer } = send()
  hear('theirs', 'running', { started: 0 })

  pass(10_000)
  answer('a')
  hear('a', 'running', { created: 9_990, started: 9_995 })

  assert.deepEqual(
    lanes.all.map(({ task }) => task?.id),
    ['a', 'theirs'],
  )
  assert.equal(lanes.all[0], lane)
})

test('what is told of is not drawn ahead of now, however far ahead the server’s clock is', (t) => {
  const { lanes, pass, hear } = startLanes(t, HOUR)

  pass(500)
  hear('theirs', 'running', { started: 400 })
  const [lane] = lanes.all
  pass(1_000)
  hear('theirs', 'succeeded', { started: 400, ended: 1_450 })

  assert.ok(since(beginOf(lane))! <= 500)
  assert.ok(since(lane!.endedAt)! <= 1_500)
  assert.ok(since(lane!.attempts[0]!.from)! <= 500)
})

test('what has ended, and is told again, is no news: the picture rests', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  accept('a')
  hear('a', 'succeeded', { started: 0, ended: 0 })
  pass(3_010)

  hear('a', 'succeeded', { started: 0, ended: 0 })

  assert.equal(since(lanes.restsSince), 3_000)
})

test('what was told of an attempt before its end, and comes after it, is too late', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })
  pass(100)

  hear('a', 'cancelled', { started: 0, ended: 90 })
  hear('a', 'running', { started: 0 }, { cancelling: true }) // the reply to the request

  assert.equal(lane.task?.state, 'cancelled')
  assert.ok(!lanes.all.some(isLive))
})

// — one picture, and the next —

test('a new action joins within three seconds of the last change, and begins afresh afterwards', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const first = accept('a')
  pass(1_000)
  hear('a', 'succeeded', { started: 0, ended: 900 })
  lanes.tick(true)

  pass(2_990)
  assert.equal(lanes.restsSince, undefined)
  const second = accept('b')
  hear('b', 'cancelled', { created: 3_990, ended: 3_990 })
  assert.deepEqual(lanes.all, [first, second])
  pass(3_010)
  assert.equal(since(lanes.restsSince), 3_990 + 3_000)
  lanes.act('Afresh')

  assert.deepEqual(lanes.all, [])
  assert.deepEqual(lanes.ticks, [])
})

test('the picture stays while something is under way, however long', (t) => {
  const { lanes, pass, accept, send, hear } = startLanes(t)

  const task = accept('a')
  hear('a', 'running', { started: 0 })
  pass(HOUR)
  assert.equal(lanes.restsSince, undefined)
  const { lane, answer } = send()
  hear('a', 'succeeded', { started: 0, ended: HOUR })
  pass(HOUR)
  assert.equal(lanes.restsSince, undefined)
  lanes.act('Another')
  assert.deepEqual(lanes.all, [task, lane])
  answer(undefined, 503)
  pass(3_010)

  assert.equal(since(lanes.restsSince), 2 * HOUR + 3_000)
})

test('a task from elsewhere begins a new picture when the old one rests', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  accept('a')
  hear('a', 'cancelled', { ended: 0 })

  pass(3_010)
  hear('theirs', 'running', { created: 3_000, started: 3_000 })
  hear('others', 'running', { created: 3_000, started: 3_000 })

  assert.deepEqual(
    lanes.all.map(({ task }) => task?.id),
    ['theirs', 'others'],
  )
})

test('a task whose lane is in an old picture is drawn in the new one when it goes on', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  accept('a')
  hear('a', 'cancelled', { ended: 0 })
  pass(3_010)
  lanes.act('Afresh')

  hear('a', 'running', { started: 3_000 })

  assert.deepEqual(
    lanes.all.map(({ label }) => label),
    ['write-log, from elsewhere'],
  )
})

// — bounds —

test('at most 2,000 lanes are kept, the newest', (t) => {
  const { lanes } = startLanes(t)
  const action = lanes.act('Many')

  for (let n = 1; n <= 2_005; n++) lanes.answered(lanes.call(action, `${n}`), 200)

  assert.equal(lanes.all.length, 2_000)
  assert.equal(lanes.all[0]?.label, '6')
  assert.equal(lanes.all.at(-1)?.label, '2005')
})

test('at most 5,000 messages are kept, the newest', (t) => {
  const { lanes } = startLanes(t)

  for (let n = 1; n <= 5_001; n++) lanes.tick(n === 5_001)

  assert.equal(lanes.ticks.length, 2_501)
  assert.equal(lanes.ticks.at(-1)?.isSent, true)
})

test('of too many lanes those that are over go first', (t) => {
  const { lanes, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })
  const action = lanes.act('Many')

  for (let n = 1; n <= 2_005; n++) lanes.answered(lanes.call(action, `${n}`), 503)
  hear('a', 'running', { started: 0 }, { progress: 0.5 })

  assert.equal(lanes.all.length, 2_000)
  assert.equal(lanes.all[0], lane)
  assert.equal(lanes.all[1]?.label, '7')
  assert.equal(lanes.all.at(-1)?.label, '2005')
})

test('of too many lanes that are all under way the oldest goes', (t) => {
  const { lanes } = startLanes(t)
  const action = lanes.act('Many')

  for (let n = 1; n <= 2_001; n++) lanes.call(action, `${n}`)

  assert.equal(lanes.all.length, 2_000)
  assert.equal(lanes.all[0]?.label, '2')
  assert.equal(lanes.all.at(-1)?.label, '2001')
})

// — what the server no longer knows —

test('a task that the server has forgotten is not under way any more', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'queued')

  pass(100)
  lanes.forget('a')
  lanes.forget('unknown')

  assert.ok(!lanes.all.some(isLive))
  assert.equal(since(lane.endedAt), 100)
})

test('forgetting a task that has ended changes nothing', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'succeeded', { started: 0, ended: 0 })

  pass(100)
  lanes.forget('a')

  assert.equal(since(lane.endedAt), 0)
})

test('an attempt at a task that the server has forgotten ends there, without an outcome', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })

  pass(100)
  lanes.forget('a')

  assert.deepEqual(attemptsOf(lane), [[1, 0, 100, undefined]])
})

test('a task that was held to be forgotten goes on when it is heard of', (t) => {
  const { lanes, pass, accept, hear } = startLanes(t)
  const lane = accept('a')
  hear('a', 'running', { started: 0 })
  lanes.forget('a')

  pass(100)
  hear('a', 'running', { started: 0 }, { progress: 0.5 })
  assert.ok(isLive(lane))
  pass(100)
  hear('a', 'succeeded', { started: 0, ended: 190 })

  assert.ok(!isLive(lane))
  assert.deepEqual(attemptsOf(lane), [[1, 0, 190, 'succeeded']])
})

test('a task that is forgotten before the replies are there gets no lane', (t) => {
  const { lanes, send, hear } = startLanes(t)
  const { lane, answer } = send()

  hear('theirs', 'running', { started: 0 })
  lanes.forget('theirs')
  answer('a')

  assert.deepEqual(lanes.all, [lane])
})

test('what was accepted is unheard until something is told of it, or it is forgotten', (t) => {
  const { lanes, hear, accept } = startLanes(t)
  accept('a')
  accept('b')
  accept('c')

  hear('a', 'queued')
  lanes.forget('b')

  assert.deepEqual(lanes.unheard, ['c'])
})
