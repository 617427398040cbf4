// 10,000 mutated HTTP requests against a live server, open and guarded: it lives, nothing answers 500,
// whatever was valid has the right answer, and memory returns.

import assert from 'node:assert/strict'
import { type Answer, answersIn, checkAnswer, isLast } from './answers.ts'
import { fuzzTest, type Tally } from './fuzz.ts'
import { expectedOf, MAX_BODY } from './http-answers.ts'
import { bytesOfCase } from './http-bytes.ts'
import { type HttpCase, httpCase } from './http-cases.ts'
import type { Subject } from './subject.ts'
import { Talk } from './talk.ts'
import { levelTasks, makeTasks, NAMED, settings, type World } from './world.ts'

/** Some quarter of what is seen. */
const SEEN = {
  ...{ '101': 8, '200': 700, '202': 250, '204': 25, '403': 200, '404': 700, '405': 170 },
  ...{ '409': 60, '413': 20, '415': 30, '417': 80, '421': 20, '422': 100, '426': 30, '505': 80 },
  'known in advance': 1_500,
}

const isMutated = ({ requests, mutations, splice }: HttpCase) =>
  mutations.length > 0 || splice || requests.some(({ body }) => body && body.edits.length > 0)

async function play(subject: Subject, one: HttpCase, world: World, tally: Tally): Promise<void> {
  const expected = expectedOf(one, world)
  const talk = new Talk(subject.port)
  await talk.send(bytesOfCase(one, world), one.cuts)
  if (one.end === 'lateReset') await talk.quiet(1)
  if (one.end === 'reset' || one.end === 'lateReset') return talk.reset()
  if (expected) await talk.until((received) => isWhole(received, expected.length))
  else if (one.end === 'stay') await talk.quiet()
  await talk.end()

  const { answers } = answersIn(talk.received)
  for (const answer of answers) checkAnswer(answer)
  if (answers.length === 0) tally.add('closed without an answer')
  for (const { status } of answers) tally.add(String(status))
  if (!expected) return
  tally.add('known in advance')
  checkStatuses(answers, expected)
}

function isWhole(received: Buffer, count: number): boolean {
  const { answers, rest } = answersIn(received)
  return answers.length >= count && (rest.length === 0 || answers.at(-1)!.status === 101)
}

// Behind an answer that ends the connection there is none.
function checkStatuses(answers: readonly Answer[], expected: readonly (readonly number[])[]): void {
  const last = answers.findIndex(({ headers }) => isLast(headers))
  const wanted = last < 0 ? expected : expected.slice(0, last + 1)
  const statuses = answers.map(({ status }) => status)
  const isRight =
    statuses.length === wanted.length && wanted.every((known, i) => known.includes(statuses[i]!))
  assert.ok(isRight, `expected ${JSON.stringify(wanted)}, got ${JSON.stringify(statuses)}`)
}

function show(one: HttpCase): string {
  const bytes = bytesOfCase(one, { isOpen: true, ids: NAMED })
  return `${JSON.stringify(bytes.toString('latin1'))} (latin1), in ${JSON.stringify(one.cuts)}, ${one.end}`
}

for (const [title, isOpen, share] of [
  ['an open server outlives mutated HTTP requests', true, 0.6],
  ['a guarded server outlives mutated HTTP requests', false, 0.4],
] as const) {
  fuzzTest<HttpCase, World>(title, {
    file: 'fuzz-http.test.ts',
    env: { ...settings(isOpen), MAX_BODY: String(MAX_BODY) },
    cases: httpCase,
    together: 40,
    share,
    mutatedOf: (one) => (isMutated(one) ? 1 : 0),
    mutatedOnAverage: 0.6,
    prepare: async (subject) => ({ isOpen, ids: await makeTasks(subject) }),
    play,
    level: levelTasks,
    show,
    expected: isOpen ? SEEN : { ...SEEN, '401': 500 },
  })
}
