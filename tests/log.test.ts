import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { compact, createLog, type Fields, readable, withFields } from '../lib/log.ts'
import { spawnProgram } from './basics.ts'

function capture(level: Parameters<typeof createLog>[0] = 'debug', format = compact) {
  const lines: string[] = []
  return { lines, log: createLog(level, (line) => lines.push(line), format) }
}

test('a line is one JSON object with time, level, message and the fields', () => {
  const { lines, log } = capture()
  log.info('listening', { url: 'http://127.0.0.1:8000', missing: undefined })
  const { time, ...entry } = JSON.parse(lines[0]!)
  assert.match(time, /^\d{4}-.*Z$/)
  assert.deepEqual(entry, { level: 'info', message: 'listening', url: 'http://127.0.0.1:8000' })
})

test('lines below the level are not written', () => {
  const { lines, log } = capture('warn')
  log.debug('no')
  log.info('no')
  log.warn('yes')
  log.error('yes')
  assert.equal(lines.length, 2)
})

test('silent writes nothing', () => {
  const { lines, log } = capture('silent')
  log.error('no')
  assert.equal(lines.length, 0)
})

for (const format of [compact, readable]) {
  test(`X17: nothing can break a ${format.name} line or steer a terminal`, () => {
    const { lines, log } = capture('info', format)
    const nasty = 'a\r\n{"level":"error"}\u001b[31m\u0085\u2028\u2029\u007f'
    log.info(nasty, { path: nasty, error: new Error(nasty) })
    assert.equal(lines.length, 1)
    assert.ok(lines[0]!.endsWith('\n'))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
    assert.doesNotMatch(lines[0]!.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
  })
}

test('an error is logged with name, message and stack', () => {
  const { lines, log } = capture()
  log.error('failed', { error: new RangeError('too far') })
  const { error } = JSON.parse(lines[0]!)
  assert.equal(error.name, 'RangeError')
  assert.equal(error.message, 'too far')
  assert.match(error.stack, /log\.test/)
})

const unwritable: [what: string, value: unknown][] = [
  ['a BigInt', 1n],
  ['a cycle', cycle()],
  [
    'a toJSON that throws',
    {
      toJSON() {
        throw new Error('no')
      },
    },
  ],
]

function cycle(): Fields {
  const self: Record<string, unknown> = {}
  self.self = self
  return self
}

for (const [what, value] of unwritable) {
  test(`${what} costs a line only its own field`, () => {
    const { lines, log } = capture()
    log.info('message', { value, other: 1 })
    const { time, ...entry } = JSON.parse(lines[0]!)
    assert.deepEqual(entry, { level: 'info', message: 'message', value: 'unreadable', other: 1 })
  })
}

test('a text of 10 MB does not make a line of 10 MB', () => {
  const { lines, log } = capture()
  const text = 'x'.repeat(10_000_000)
  log.info('long', { text, error: new Error(text) })
  assert.ok(lines[0]!.length < 50_000)
})

test('X11: lines that nobody reads do not pile up; how many were dropped is told', async (t) => {
  const program = `
    import { createLog } from './lib/log.ts'
    const log = createLog('info')
    const text = 'x'.repeat(8_000)
    for (let i = 0; i < 3_000; i++) log.info('one', { text })
    const { writableLength } = process.stdout
    process.stdout.once('drain', () => log.info('last', { writableLength }))`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const { line } = spawnProgram(t, {}, args)
  const { level, count } = await line('log lines were dropped, since nobody read them')
  const { writableLength } = await line('last')
  assert.equal(level, 'warn')
  assert.ok(count > 1_000 && count < 3_000, `${count} lines were dropped`)
  assert.ok(writableLength < 5_000_000, `${writableLength} bytes wait`)
})

test('an object of 10 MB does not make a line of 10 MB, and the line is still JSON', () => {
  const { lines, log } = capture()
  log.info('big', { big: Array.from({ length: 300_000 }, (_, i) => ({ i })), after: 1 })
  assert.ok(lines[0]!.length < 50_000)
  assert.equal(JSON.parse(lines[0]!).after, 1)
})

test('no field takes the place of time, level or message', () => {
  const { lines, log } = capture()
  log.info('real', { message: 'forged', level: 'error', time: 0 })
  const { message, level, time } = JSON.parse(lines[0]!)
  assert.deepEqual([message, level, typeof time], ['real', 'info', 'string'])
})

test('X17: the name of a field cannot break a readable line either', () => {
  const { lines, log } = capture('info', readable)
  log.info('x', { 'a\n00:00:00 error forged': 1 })
  assert.equal(lines[0]!.split('\n').length, 2)
})

test('fields are carried over an await, and end with the function', async () => {
  const { lines, log } = capture()
  await withFields({ requestId: 'a' }, async () => {
    await delay(1)
    log.info('inside')
  })
  log.info('outside')
  assert.equal(JSON.parse(lines[0]!).requestId, 'a')
  assert.equal(JSON.parse(lines[1]!).requestId, undefined)
})

test('a readable line begins with the time of day', () => {
  const entry = { time: '2026-11-22T08:00:01.000Z', level: 'info', message: 'stopped', ms: 5 }
  assert.equal(readable(entry), '08:00:01 info  stopped ms=5')
})
