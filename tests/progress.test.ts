import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Throttle } from '../lib/progress.ts'
import { until } from './helpers.ts'

test('of a million hits a few are told, the first and the last among them', async () => {
  let at = 0
  const told: number[] = []
  const throttle = new Throttle(() => told.push(at))
  const start = performance.now()

  for (at = 1; at < 1_000_000; at++) throttle.hit()
  throttle.hit()
  await until(() => told.at(-1) === 1_000_000)

  const most = 2 + (performance.now() - start) / 50
  assert.equal(told[0], 1)
  assert.ok(told.length <= most, `told ${told.length} times, not ${most}`)
})

test('it is told also while a function blocks', () => {
  let told = 0
  const throttle = new Throttle(() => told++)
  const end = performance.now() + 5_000 // it takes a tenth of a second
  while (told < 3 && performance.now() < end) throttle.hit()
  throttle.stop()
  assert.equal(told, 3)
})

test('what waits is told once, and not when it is stopped', async () => {
  const told: string[] = []
  const stopped = new Throttle(() => told.push('stopped'))
  const other = new Throttle(() => told.push('other'))
  for (const throttle of [stopped, other, stopped, other, other]) throttle.hit()
  stopped.stop()
  await until(() => told.length >= 3)
  await delay(1) // a timer of the one that was stopped would have been due before
  assert.deepEqual(told, ['stopped', 'other', 'other'])
})

test('after a while without hits the next one is told at once', async () => {
  let told = 0
  const throttle = new Throttle(() => told++)
  throttle.hit()
  throttle.hit()
  await until(() => told === 2)
  const since = performance.now()
  await until(() => performance.now() - since > 50)
  throttle.hit()
  assert.equal(told, 3)
})
