import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Throttle } from '../../lib/progress.ts'
import { until } from '../basics.ts'

test('of a million hits a few are told, the first and the last among them', async () => {
  const told: number[] = []
  const throttle = new Throttle<number>((newest) => told.push(newest))
  const start = performance.now()

  for (let at = 1; at <= 1_000_000; at++) throttle.hit(at)
  await until(() => told.at(-1) === 1_000_000)

  const most = 2 + (performance.now() - start) / 50
  assert.equal(told[0], 1)
  assert.ok(told.length <= most, `told ${told.length} times, not ${most}`)
})

test('it is told also while a function blocks', () => {
  const told: number[] = []
  const throttle = new Throttle<number>((newest) => told.push(newest))
  const end = performance.now() + 5_000 // it takes a tenth of a second
  for (let at = 1; told.length < 3 && performance.now() < end; at++) throttle.hit(at)
  throttle.flush()
  assert.equal(told.length, 3)
})

test('flushed, what waits is told at once, and only once', async () => {
  const told: string[] = []
  const flushed = new Throttle<string>((newest) => told.push(newest))
  const other = new Throttle<string>((newest) => told.push(newest))
  flushed.hit('first')
  flushed.hit('second')
  flushed.flush()
  flushed.flush()
  assert.deepEqual(told, ['first', 'second'])
  other.hit('other')
  other.hit('later') // its timer is due after that of the one that was flushed would have been
  await until(() => told.length >= 4)
  assert.deepEqual(told, ['first', 'second', 'other', 'later'])
})

test('after a while without hits the next one is told at once', async () => {
  let told = 0
  const throttle = new Throttle<undefined>(() => told++)
  throttle.hit(undefined)
  throttle.hit(undefined)
  await until(() => told === 2)
  const since = performance.now()
  await until(() => performance.now() - since > 50)
  throttle.hit(undefined)
  assert.equal(told, 3)
})
