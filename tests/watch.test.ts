import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog, type Fields } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { LoopWatch } from '../lib/watch.ts'
import { type Json, spawnProgram, until } from './helpers.ts'

const LIMIT = 200 // milliseconds: a busy machine alone does not take so long

function block(milliseconds = 1.5 * LIMIT): number {
  const start = performance.now()
  while (performance.now() - start < milliseconds);
  return performance.now() - start
}

// Its timer was due while something blocked, so it fires before this one.
const hasLooked = () => delay(1)

function startWatch(suspects: () => Fields[]) {
  const lines: Json[] = []
  const log = createLog('info', (line) => lines.push(JSON.parse(line)), JSON.stringify)
  const metrics = new Metrics()
  const watch = new LoopWatch({ blockedMs: LIMIT, log, metrics, suspects })
  return { watch, lines, metrics }
}

test('a stretch over the limit is one log line with its milliseconds, one up to it is none', () => {
  const { watch, lines, metrics } = startWatch(() => [])
  for (const stretch of [0, 1, LIMIT, LIMIT + 50.4]) watch.check(stretch)
  assert.deepEqual(
    lines.map(({ level, message, ms }) => [level, message, ms]),
    [['warn', 'task blocked the event loop, it belongs in a thread', LIMIT + 50]],
  )
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="task"\} 1$/m)
  assert.match(metrics.text(), /^meanwhile_blocked_seconds_total\{by="task"\} 0\.2504$/m)
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="loop"\} 0$/m)
})

test('a block that nobody timed is found, and names whoever ran, up to 20', async (t) => {
  const running = Array.from({ length: 30 }, (_, i) => ({ task: `t${i}` }))
  const { watch, lines, metrics } = startWatch(() => running)
  t.after(() => watch.stop())

  watch.start()
  block()
  await hasLooked()

  const { level, message, ms, suspects } = lines[0]
  assert.deepEqual([level, message], ['warn', 'the event loop was blocked'])
  assert.ok(ms > LIMIT, `${ms} ms`)
  assert.deepEqual(suspects, running.slice(0, 20))
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="loop"\} 1$/m)
  assert.match(metrics.text(), /^meanwhile_blocked_seconds_total\{by="loop"\} 0\.[2-9]/m)
})

test('a task that ends as soon as it has blocked is named as well', async (t) => {
  const running = [{ task: 'culprit' }]
  const { watch, lines } = startWatch(() => [...running])
  t.after(() => watch.stop())

  watch.start()
  block()
  running.pop()
  await hasLooked()

  assert.deepEqual(lines[0].suspects, [{ task: 'culprit' }])
})

test('a block for which a task was named is not reported twice', async (t) => {
  const { watch, lines } = startWatch(() => [{ task: 't' }])
  t.after(() => watch.stop())
  watch.start()
  watch.check(block())
  await hasLooked()
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['task blocked the event loop, it belongs in a thread'],
  )
})

test('a block later than one that was explained is found', async (t) => {
  const { watch, lines } = startWatch(() => [{ task: 't' }])
  t.after(() => watch.stop())
  watch.start()
  watch.check(block())
  await hasLooked()
  block()
  await hasLooked()
  assert.equal(lines[1].message, 'the event loop was blocked')
})

const ends: [how: string, end: (watch: LoopWatch, running: Fields[]) => unknown][] = [
  ['nothing runs', (_, running) => running.pop()],
  ['it was stopped', (watch) => watch.stop()],
]

for (const [how, end] of ends) {
  test(`the watch does not look when ${how}, and begins again`, async (t) => {
    const running: Fields[] = [{ task: 't' }]
    const { watch, lines } = startWatch(() => running)
    t.after(() => watch.stop())

    watch.start()
    end(watch, running)
    const idle = performance.now() + LIMIT / 2
    await until(() => performance.now() > idle) // it looked a few times, or would have
    block()
    await hasLooked()
    assert.deepEqual(lines, [])

    watch.start()
    block()
    await hasLooked()
    assert.equal(lines.length, 1)
  })
}

test('the watch does not keep the process alive', async (t) => {
  const program = `
    import { Metrics } from './lib/metrics.ts'
    import { LoopWatch } from './lib/watch.ts'
    const log = console, metrics = new Metrics()
    new LoopWatch({ blockedMs: 50, log, metrics, suspects: () => [{}] }).start()`
  const loader = process.features.typescript ? [] : ['--import', 'tsx']
  const args = [...loader, '--input-type=module', '--eval', program]
  assert.equal(await spawnProgram(t, {}, args).exited, 0)
})
