import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Metrics } from '../lib/metrics.ts'
import { measureProcess } from '../lib/vitals.ts'
import { until } from './helpers.ts'

/** What one figure is now; `stop` ends the measuring. */
function measure(t: TestContext) {
  const metrics = new Metrics()
  const stop = measureProcess(metrics)
  t.after(stop)
  const read = () => {
    const lines = metrics.text().split('\n')
    return new Map(lines.map((line) => [line.split(' ')[0], Number(line.split(' ').at(-1))]))
  }
  return { read, stop, slowest: () => read().get(SLOWEST)! }
}

const SLOWEST = 'meanwhile_event_loop_delay_seconds{quantile="1"}'

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

test('memory and the delay of the event loop are figures from the start', (t) => {
  const figures = measure(t).read()
  for (const kind of ['rss', 'heap', 'external']) {
    assert.ok(figures.get(`meanwhile_memory_bytes{kind="${kind}"}`)! > 0, kind)
  }
  for (const quantile of ['0.5', '0.99', '1']) {
    const delay = figures.get(`meanwhile_event_loop_delay_seconds{quantile="${quantile}"}`)
    assert.equal(delay, 0)
  }
})

test('a block of the event loop is seen once, and not by what was stopped', async (t) => {
  const first = measure(t)
  const stopped = measure(t)
  await until(() => first.slowest() >= 0)
  stopped.stop()
  stopped.read()

  block(200)

  let seen = 0
  await until(() => {
    seen = first.slowest()
    return seen > 0.1
  })
  assert.ok(seen >= 0.15, String(seen))
  assert.ok(first.slowest() < 0.1)
  assert.equal(stopped.slowest(), 0)
})
