import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type TestContext, test } from 'node:test'
import { Metrics } from '../../lib/metrics.ts'
import { measureProcess } from '../../lib/vitals.ts'
import { block, until } from '../basics.ts'

/** Reads all figures; `stop` ends the measuring. */
function measure(t: TestContext) {
  const metrics = new Metrics()
  const stop = measureProcess(metrics)
  t.after(stop)
  const read = (name: string) => {
    const line = metrics.text().split('\n')
    return Number(line.find((text) => text.startsWith(`meanwhile_${name} `))?.split(' ')[1])
  }
  return { read, stop }
}

const SLOWEST = 'event_loop_delay_seconds{quantile="1"}'

test('memory and the delay of the event loop are figures from the start', (t) => {
  const { read } = measure(t)
  for (const kind of ['rss', 'heap', 'external'])
    assert.ok(read(`memory_bytes{kind="${kind}"}`) > 0)
  for (const quantile of ['0.5', '0.99', '1']) {
    assert.equal(read(`event_loop_delay_seconds{quantile="${quantile}"}`), 0)
  }
})

test('a block of the event loop is seen once, and not by what was stopped', async (t) => {
  const going = measure(t)
  const stopped = measure(t)
  stopped.stop()
  const own = monitorEventLoopDelay({ resolution: 20 }) // says when the others have looked, too
  own.enable()
  t.after(() => own.disable())
  await until(() => own.count > 1)

  block(200)
  await until(() => own.max > 150e6)

  assert.ok(going.read(SLOWEST) >= 0.15)
  assert.equal(going.read(SLOWEST), 0)
  assert.equal(stopped.read(SLOWEST), 0)
})
