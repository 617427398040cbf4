import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createLog } from '../lib/log.ts'
import { Metrics } from '../lib/metrics.ts'
import { LoopWatch } from '../lib/watch.ts'
import { type Json, spawnProgram, until } from './basics.ts'

const LIMIT = 200 // milliseconds: a busy machine alone does not take so long

/** Blocks as something synchronous does that waits for the machine. */
function block(milliseconds = 1.5 * LIMIT): number {
  const start = performance.now()
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  return performance.now() - start
}

/** Blocks as arithmetic does. */
function spin(milliseconds = 1.5 * LIMIT): void {
  const start = performance.now()
  while (performance.now() - start < milliseconds);
}

// Its timer was due while something blocked, so it fires before this one.
const hasLooked = () => delay(1)

const running = (id = 't') => ({ id, name: 'work', state: 'running' })

function startWatch() {
  const lines: Json[] = []
  const log = createLog('info', (line) => lines.push(JSON.parse(line)), JSON.stringify)
  const metrics = new Metrics()
  const watch = new LoopWatch({ blockedMs: LIMIT, log, metrics })
  return { watch, lines, metrics }
}

test('a stretch over the limit is one log line with its milliseconds, one up to it is none', () => {
  const { watch, lines, metrics } = startWatch()
  for (const stretch of [0, 1, LIMIT, LIMIT + 50.4]) watch.check(stretch)
  assert.deepEqual(
    lines.map(({ level, message, ms }) => [level, message, ms]),
    [['warn', 'task blocked the event loop, it belongs in a thread', LIMIT + 50]],
  )
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="task"\} 1$/m)
  assert.match(metrics.text(), /^meanwhile_blocked_seconds_total\{by="task"\} 0\.2504$/m)
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="loop"\} 0$/m)
})

test('T7: a block that nobody timed is found, and names whoever ran, up to 20', async (t) => {
  const { watch, lines, metrics } = startWatch()
  t.after(() => watch.stop())

  for (let i = 0; i < 30; i++) watch.follow(running(`t${i}`))
  spin()
  await hasLooked()

  const { level, message, ms, cpu, suspects } = lines[0]
  assert.deepEqual([level, message], ['warn', 'the event loop was blocked'])
  assert.ok(ms > LIMIT, `${ms} ms`)
  assert.ok(cpu > 0)
  assert.equal(suspects.length, 20)
  assert.deepEqual(suspects[19], { task: 't19', name: 'work' })
  assert.match(metrics.text(), /^meanwhile_blocks_total\{by="loop"\} 1$/m)
  assert.match(metrics.text(), /^meanwhile_blocked_seconds_total\{by="loop"\} 0\.[2-9]/m)
})

test('a task that ends as soon as it has blocked is named as well', async (t) => {
  const { watch, lines } = startWatch()
  t.after(() => watch.stop())
  watch.follow(running('long'))
  await hasLooked()
  const culprit = running('culprit')

  watch.follow(culprit)
  block()
  culprit.state = 'succeeded'
  await hasLooked()

  const suspects = lines[0].suspects.map(({ task }: { task: string }) => task)
  assert.deepEqual(suspects, ['long', 'culprit'])
})

test('a block for which a task was named is not reported twice', async (t) => {
  const { watch, lines } = startWatch()
  t.after(() => watch.stop())
  watch.follow(running())
  watch.check(block())
  await hasLooked()
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['task blocked the event loop, it belongs in a thread'],
  )
})

test('a block later than one that was explained is found', async (t) => {
  const { watch, lines } = startWatch()
  t.after(() => watch.stop())
  watch.follow(running())
  watch.check(block())
  await hasLooked()
  block()
  await hasLooked()
  assert.equal(lines[1].message, 'the event loop was blocked')
})

const ends: [how: string, end: (watch: LoopWatch, task: { state: string }) => void][] = [
  [
    'nothing runs',
    (_, task) => {
      task.state = 'succeeded'
    },
  ],
  ['it was stopped', (watch) => watch.stop()],
]

for (const [how, end] of ends) {
  test(`the watch does not look when ${how}, and begins again`, async (t) => {
    const task = running()
    const { watch, lines } = startWatch()
    t.after(() => watch.stop())

    watch.follow(task)
    end(watch, task)
    const idle = performance.now() + LIMIT / 2
    await until(() => performance.now() > idle) // it looked a few times, or would have
    block()
    await hasLooked()
    assert.deepEqual(lines, [])

    watch.follow(running())
    block()
    await hasLooked()
    assert.equal(lines.length, 1)
  })
}

test('the watch does not keep the process alive', async (t) => {
  const program = `
    import { Metrics } from './lib/metrics.ts'
    import { LoopWatch } from './lib/watch.ts'
    const watch = new LoopWatch({ blockedMs: 50, log: console, metrics: new Metrics() })
    watch.follow({ id: 't', name: 'work', state: 'running' })`
  const loader = process.features.typescript ? [] : ['--import', 'tsx']
  const args = [...loader, '--input-type=module', '--eval', program]
  assert.equal(await spawnProgram(t, {}, args).exited, 0)
})
