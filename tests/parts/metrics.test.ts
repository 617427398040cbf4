import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Metrics } from '../../lib/metrics.ts'

test('the page is in the text format, in the order in which the figures were made', () => {
  const metrics = new Metrics()
  const tasks = metrics.counter('tasks_total', 'Tasks that ended.')
  metrics.gauge('size', 'How many there are.', () => 3)
  metrics.counter('none_total', 'Never counted.')
  metrics.gauge('memory_bytes', 'By kind.', () => [
    [{ kind: 'a', of: 'b' }, 1.5],
    [{ kind: 'c' }, 0],
  ])
  tasks.of().add()
  tasks.of({ state: 'failed' }).add(2)
  tasks.of({ state: 'failed' }).add(0.5)

  const lines = [
    '# HELP meanwhile_tasks_total Tasks that ended.',
    '# TYPE meanwhile_tasks_total counter',
    'meanwhile_tasks_total 1',
    'meanwhile_tasks_total{state="failed"} 2.5',
    '# HELP meanwhile_size How many there are.',
    '# TYPE meanwhile_size gauge',
    'meanwhile_size 3',
    '# HELP meanwhile_none_total Never counted.',
    '# TYPE meanwhile_none_total counter',
    '# HELP meanwhile_memory_bytes By kind.',
    '# TYPE meanwhile_memory_bytes gauge',
    'meanwhile_memory_bytes{kind="a",of="b"} 1.5',
    'meanwhile_memory_bytes{kind="c"} 0',
  ]
  assert.equal(metrics.text(), `${lines.join('\n')}\n`)
})

test('a histogram counts into each bucket what is as short or shorter', () => {
  const metrics = new Metrics()
  const member = metrics.histogram('run_seconds', 'Runs.').of({ name: 'x' })
  for (const seconds of [0, 0.001, 0.25, 0.5, 300, 1_000]) member.observe(seconds)

  const buckets = [
    ['0.001', 2],
    ['0.005', 2],
    ['0.01', 2],
    ['0.05', 2],
    ['0.1', 2],
    ['0.5', 4],
    ['1', 4],
    ['5', 4],
    ['10', 4],
    ['60', 4],
    ['300', 5],
    ['+Inf', 6],
  ]
  const lines = [
    '# HELP meanwhile_run_seconds Runs.',
    '# TYPE meanwhile_run_seconds histogram',
    ...buckets.map(([le, n]) => `meanwhile_run_seconds_bucket{name="x",le="${le}"} ${n}`),
    'meanwhile_run_seconds_sum{name="x"} 1300.751',
    'meanwhile_run_seconds_count{name="x"} 6',
  ]
  assert.equal(metrics.text(), `${lines.join('\n')}\n`)
})

test('a histogram without labels has only that of its buckets', () => {
  const metrics = new Metrics()
  metrics.histogram('a', 'A.').of().observe(1)
  assert.match(metrics.text(), /^meanwhile_a_bucket\{le="1"\} 1$/m)
  assert.match(metrics.text(), /^meanwhile_a_count 1$/m)
})

test('a label can neither end its value nor its line', () => {
  const metrics = new Metrics()
  metrics.counter('a', 'A.').of({ x: 'q"b\\n\nend' }).add()
  assert.ok(metrics.text().endsWith('\nmeanwhile_a{x="q\\"b\\\\n\\nend"} 1\n'))
})

test('a gauge is read when somebody asks, and only then', () => {
  const metrics = new Metrics()
  let reads = 0
  metrics.gauge('reads', 'Reads.', () => ++reads)
  assert.equal(reads, 0)
  for (const count of [1, 2]) assert.match(metrics.text(), new RegExp(`_reads ${count}\n$`))
})
