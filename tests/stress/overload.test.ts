// Ten times as many jobs as the server can do, at a fixed rate, whatever it answers: each is accepted or
// refused at once, what was accepted is done, and when the load stops there is room again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonOf, post, spawnServer, until } from '../helpers.ts'
import { as, SECRET } from '../tokens.ts'

const SECONDS = 4
const WORK_SECONDS = 0.2
const CONCURRENCY = 2
const OFFERED = (10 * CONCURRENCY) / WORK_SECONDS // a second
const TICK = 10 // milliseconds
const HANG = 5_000 // milliseconds: no answer may take as long

const SETTINGS = {
  CAPACITY: '50',
  CONCURRENCY: String(CONCURRENCY),
  WORK_SECONDS: String(WORK_SECONDS),
  LOG_LEVEL: 'info',
}

type Headers = Record<string, string>

interface Answer {
  readonly status: number
  readonly retryAfter: string | null
  readonly id: string
  readonly ms: number
}

async function offer(url: string, headers: Headers = {}): Promise<Answer> {
  const started = performance.now()
  const reply = await post(`${url}/process`, {}, headers)
  const { id } = await jsonOf(reply)
  const ms = performance.now() - started
  return { status: reply.status, retryAfter: reply.headers.get('retry-after'), id, ms }
}

/** Offers so many a second, without a look at the answers. */
async function flood(perSecond: number, send: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Promise<Answer>[] = []
  const started = performance.now()
  for (;;) {
    const seconds = Math.min(SECONDS, (performance.now() - started) / 1_000)
    while (answers.length < seconds * perSecond) answers.push(send())
    if (seconds === SECONDS) return Promise.all(answers)
    await delay(TICK)
  }
}

/** Each is accepted, or refused with this status and told when to come back. Returns the accepted. */
function check(answers: Answer[], refusal?: number): Answer[] {
  for (const { status, retryAfter, ms } of answers) {
    assert.ok(status === 202 || status === refusal, `got ${status}`)
    if (status === refusal) assert.match(String(retryAfter), /^\d+$/)
    assert.ok(ms < HANG, `${ms} ms`)
  }
  return answers.filter(({ status }) => status === 202)
}

/** Waits until all of these have ended well. */
async function checkEnds(url: string, accepted: Answer[], headers: Headers = {}): Promise<void> {
  for (const { id } of accepted) {
    const stateOf = async () => (await jsonOf(fetch(`${url}/tasks/${id}`, { headers }))).state
    await until(async () => !/queued|running/.test(await stateOf()))
    assert.equal(await stateOf(), 'succeeded')
  }
}

test('ten times as much as can be done: each is 202 or 503 at once, each 202 ends, then there is room', async (t) => {
  const { url } = await spawnServer(t, SETTINGS)

  const answers = await flood(OFFERED, () => offer(url))
  await delay(1_000) // as it is promised
  const later = await Promise.all(Array.from({ length: 5 }, () => offer(url)))

  const accepted = check(answers, 503)
  assert.ok(accepted.length < answers.length / 2, `${accepted.length} of ${answers.length}`)
  assert.deepEqual(
    later.map(({ status }) => status),
    Array(5).fill(202),
  )
  await checkEnds(url, [...accepted, ...later])
})

test('a flood of one user, which is 429, leaves room for another', async (t) => {
  const { url } = await spawnServer(t, { ...SETTINGS, AUTH_SECRET: SECRET })
  const [alice, bob] = [as('alice'), as('bob')]

  const [hers, his] = await Promise.all([
    flood(OFFERED, () => offer(url, alice)),
    flood(2, () => offer(url, bob)),
  ])

  const accepted = check(hers, 429)
  assert.ok(accepted.length < hers.length / 2, `${accepted.length} of ${hers.length}`)
  assert.equal(check(his).length, his.length)
  await checkEnds(url, accepted, alice)
  await checkEnds(url, his, bob)
})
