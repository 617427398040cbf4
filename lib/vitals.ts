// Figures of the process itself: memory, and how late the event loop is.

import { LoopDelay } from './loop-delay.ts'
import type { Metrics } from './metrics.ts'

let memory = process.memoryUsage()

/** As it was when it could last be read: that takes a file descriptor, and there may be none left. */
export function readMemory(): NodeJS.MemoryUsage {
  try {
    memory = process.memoryUsage()
  } catch {}
  return memory
}

/** Returns what ends the measuring. */
export function measureProcess(metrics: Metrics): () => void {
  const loop = new LoopDelay()
  metrics.gauge('event_loop_delay_seconds', 'Since it was last asked for.', () => {
    const { p50, p99, max } = loop.read()
    return [
      [{ quantile: '0.5' }, p50 / 1_000],
      [{ quantile: '0.99' }, p99 / 1_000],
      [{ quantile: '1' }, max / 1_000],
    ]
  })
  metrics.gauge(
    'memory_bytes',
    'Of the process, of the heap in use, and outside of the heap.',
    () => {
      const { rss, heapUsed, external } = readMemory()
      return [
        [{ kind: 'rss' }, rss],
        [{ kind: 'heap' }, heapUsed],
        [{ kind: 'external' }, external],
      ]
    },
  )
  return () => loop.stop()
}
