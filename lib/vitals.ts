// Figures of the process itself: memory, and how late the event loop is.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

const RESOLUTION = 20 // milliseconds: it looks 50 times a second

/** Returns what ends the measuring. */
export function measureProcess(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  metrics.gauge('event_loop_delay_seconds', 'Since it was last asked for.', () => {
    // What it records is the whole interval, of which only what is above it is a delay.
    const seconds = (nanoseconds: number) =>
      Math.max(0, (nanoseconds || 0) / 1e9 - RESOLUTION / 1_000)
    const readings = [
      [{ quantile: '0.5' }, seconds(delay.percentile(50))],
      [{ quantile: '0.99' }, seconds(delay.percentile(99))],
      [{ quantile: '1' }, seconds(delay.max)],
    ] as const
    delay.reset()
    return readings
  })
  metrics.gauge(
    'memory_bytes',
    'Of the process, of the heap in use, and outside of the heap.',
    () => {
      const { rss, heapUsed, external } = process.memoryUsage()
      return [
        [{ kind: 'rss' }, rss],
        [{ kind: 'heap' }, heapUsed],
        [{ kind: 'external' }, external],
      ]
    },
  )
  return () => delay.disable()
}
