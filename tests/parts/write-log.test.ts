import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeLog } from '../../jobs/write-log.ts'
import { AbortableContext } from '../../lib/context.ts'
import { silent, temporaryFolder } from '../basics.ts'

const context = (attempt = 1) => new AbortableContext('id', attempt, silent)

test('each run appends one line', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const { work } = writeLog(file, 0)
  await work({ line: 'one', fail: 0 }, context())
  await work({ line: 'two', fail: 0 }, context())
  assert.equal(await readFile(file, 'utf8'), 'one\ntwo\n')
})

test('the first so many attempts throw, and write nothing', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const { work } = writeLog(file, 0)
  await assert.rejects(async () => work({ line: 'one', fail: 2 }, context(1)), /attempt 1/)
  await assert.rejects(async () => work({ line: 'one', fail: 2 }, context(2)), /attempt 2/)
  await work({ line: 'one', fail: 2 }, context(3))
  assert.equal(await readFile(file, 'utf8'), 'one\n')
})

test('X11: a file that cannot be written fails the task', async () => {
  const { work } = writeLog('/', 0)
  await assert.rejects(async () => work({ line: 'one', fail: 0 }, context()), { code: 'EISDIR' })
})

test('aborting ends the work before anything is written', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const aborted = context()
  const run = Promise.resolve(writeLog(file, 60).work({ line: 'one', fail: 0 }, aborted))
  aborted.abort(new Error('stop'))
  await assert.rejects(run, { name: 'AbortError' })
  await assert.rejects(readFile(file), { code: 'ENOENT' })
})

const lengths: [seconds: number, steps: number][] = [
  [0, 0],
  [0.05, 0],
  [0.2, 4],
  [1, 20],
  [1.2, 20],
]

for (const [seconds, steps] of lengths) {
  test(`work of ${seconds} s says ${steps} times how far it is, then writes`, async (t) => {
    const file = join(await temporaryFolder(t), 'log.txt')
    const told: number[] = []
    const onProgress = (fraction: number) => void told.push(fraction)
    const listened = new AbortableContext('id', 1, silent, { onProgress })

    await writeLog(file, seconds).work({ line: 'one', fail: 0 }, listened)

    const fractions = Array.from({ length: steps }, (_, step) => (step + 1) / steps)
    assert.deepEqual(told, fractions)
    assert.equal(await readFile(file, 'utf8'), 'one\n')
  })
}

test('aborting between two steps ends the work at once, and nothing more is said', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const told: number[] = []
  const aborted = new AbortableContext('id', 1, silent, {
    onProgress(fraction) {
      told.push(fraction)
      setImmediate(() => aborted.abort(new Error('stop'))) // while it waits for the next
    },
  })

  const run = Promise.resolve(writeLog(file, 4).work({ line: 'one', fail: 0 }, aborted))

  await assert.rejects(run, { name: 'AbortError' })
  assert.deepEqual(told, [1 / 20])
  await assert.rejects(readFile(file), { code: 'ENOENT' })
})
