import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Heartbeat } from '../../lib/heartbeat.ts'
import { block, latch, socketPair } from '../basics.ts'

const SECONDS = 0.05 // a tick in 5 ms

/** Can be waited for until it was asked so many times. */
function member(times: number) {
  const { opened: asked, open } = latch()
  const beats: number[] = []
  const beat = (now: number) => {
    if (beats.push(now) === times) open()
  }
  return { beats, asked, beat }
}

function start(t: TestContext, members: Iterable<{ beat(now: number): void }>): Heartbeat {
  const heartbeat = new Heartbeat(members, SECONDS)
  const alive = setInterval(() => {}, 1_000) // the heartbeat itself keeps no process alive
  t.after(() => heartbeat.stop())
  t.after(() => clearInterval(alive))
  heartbeat.start()
  return heartbeat
}

test('a heartbeat asks everybody again and again, with the time as it goes on', async (t) => {
  const members = [member(3), member(3)]
  start(t, members)
  await Promise.all(members.map(({ asked }) => asked))
  for (const { beats } of members) {
    assert.deepEqual(
      beats,
      beats.toSorted((one, other) => one - other),
    )
  }
})

test('who comes later is asked, too', async (t) => {
  const members = new Set([member(1)])
  start(t, members)
  const [first] = members
  await first!.asked
  const late = member(1)
  members.add(late)
  await late.asked
})

for (const starts of [1, 2]) {
  test(`a heartbeat that was started ${starts}× and is stopped asks nobody`, async (t) => {
    const [asked, other] = [member(1), member(4)]
    const heartbeat = start(t, [asked])
    if (starts === 2) heartbeat.start()
    heartbeat.stop()

    start(t, [other])
    await other.asked

    assert.deepEqual(asked.beats, [])
  })
}

test('a heartbeat that was stopped can be started again', async (t) => {
  const one = member(2)
  const heartbeat = start(t, [one])
  heartbeat.stop()
  heartbeat.start()
  await one.asked
})

test('T7, X14: what came while the event loop was blocked counts as a sign of life', async (t) => {
  const [near, far] = await socketPair(t)
  let isHeard = false
  far.on('data', () => {
    isHeard = true
  })

  const judged = new Promise<boolean>((resolve) => {
    start(t, [{ beat: () => resolve(isHeard) }])
  })
  near.write('I am here')
  block(50)

  assert.equal(await judged, true)
})
