import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTaskOptions, type DefinitionOptions, defineTask } from '../../lib/definition.ts'

test('a definition is its name, its function and its options', () => {
  const work = () => {}
  const options = { attempts: 3, concurrency: 1, thread: new URL(import.meta.url) }
  assert.deepEqual(defineTask('send.mail_2@x-y', work, options), {
    name: 'send.mail_2@x-y',
    work,
    ...options,
  })
})

for (const name of ['', 'a b', 'ä', 'a/b', 'a\n', 'x'.repeat(65)]) {
  test(`${JSON.stringify(name)} is refused as the name of a task`, () => {
    assert.throws(() => defineTask(name, () => {}), { name: 'TypeError', message: /name/ })
  })
}

const MAX_TIMER = 2_147_483_647

const options: [option: keyof DefinitionOptions, good: number[], bad: number[]][] = [
  ['concurrency', [1, 1_000], [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]],
  ['attempts', [1, 1_000_000], [0, -1, 2.5, Number.NaN, Number.POSITIVE_INFINITY]],
  ['backoff', [0, 0.5, MAX_TIMER], [-1, Number.NaN, MAX_TIMER + 1]],
  ['timeout', [1, MAX_TIMER], [0, -1, Number.NaN, MAX_TIMER + 1]],
  ['delay', [0, MAX_TIMER], [-1, Number.NaN, MAX_TIMER + 1, Number.POSITIVE_INFINITY]],
  ['priority', [-100, 0, 100], [-101, 101, 0.5, Number.NaN]],
]

for (const [option, good, bad] of options) {
  test(`the option ${option} is refused outside of its bounds, and not on them`, () => {
    const define = (value: number) => defineTask('x', () => {}, { [option]: value })
    for (const value of good) assert.equal(define(value)[option], value)
    const refusal = { name: 'RangeError', message: new RegExp(`^${option} must be`) }
    for (const value of bad) {
      assert.throws(() => define(value), refusal, String(value))
      if (option === 'concurrency') continue // of a definition only
      assert.throws(() => checkTaskOptions({ [option]: value }), refusal, String(value))
    }
  })
}

for (const thread of [new URL('http://a/b.ts'), new URL('data:text/javascript,'), './x.ts', null]) {
  test(`${thread} is refused as the module of a thread`, () => {
    const refusal = { name: 'TypeError', message: /^thread must be the URL of a file/ }
    assert.throws(() => defineTask('x', () => {}, { thread: thread as URL }), refusal)
  })
}
