import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineTask } from '../../lib/definition.ts'
import { Kinds } from '../../lib/kinds.ts'
import { Metrics } from '../../lib/metrics.ts'

const thread = new URL('file:///nowhere.ts')

test('definitions share a lane unless they ask for slots of their own, or run in threads', () => {
  const kinds = new Kinds<string>(2, 3, new Metrics())
  const own = defineTask('own', () => {}, { concurrency: 1 })
  const threaded = kinds.of(defineTask('threaded', () => {}, { thread }))
  assert.equal(kinds.of(defineTask('a', () => {})).lane, kinds.plain.lane)
  assert.notEqual(kinds.of(own).lane, kinds.plain.lane)
  assert.equal(kinds.of(own), kinds.of(own))
  assert.equal(kinds.of(defineTask('threaded-2', () => {}, { thread })).lane, threaded.lane)
  assert.deepEqual(
    kinds.lanes.map((lane) => lane.free),
    [2, 3, 1],
  )
  assert.throws(() => kinds.of(defineTask('own', () => {})), TypeError)
})

test('a name that no definition has fails its tasks for good, until one has it', () => {
  const kinds = new Kinds<string>(1, 1, new Metrics())
  const work = kinds.find('gone').definition!.work
  assert.throws(() => work(undefined as never, undefined as never), {
    name: 'NonRetryableError',
    message: /unknown task "gone"/,
  })
  const definition = defineTask('gone', () => {}, { attempts: 4 })
  kinds.of(definition)
  assert.equal(kinds.find('gone').policy.attempts, 4)
})
