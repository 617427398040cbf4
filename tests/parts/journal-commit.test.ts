import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Commit } from '../../lib/journal-commit.ts'

const failure = new Error('disk full')

test('who waits hears of it when it has come, not before; who comes later, too', async () => {
  const events: string[] = []
  const { written } = new Commit()
  const first = written.wait().then(() => events.push('first'))
  const second = written.wait().then(() => events.push('second'))

  await turn()
  events.push('written')
  written.settle()
  await Promise.all([first, second, written.wait()])

  assert.deepEqual(events, ['written', 'first', 'second'])
})

test('a failure is for all who wait, before and after', async () => {
  const commit = new Commit()
  const before = [commit.written.wait(), commit.synced.wait()]
  commit.settle(failure)
  for (const wait of [...before, commit.written.wait(), commit.synced.wait()]) {
    await assert.rejects(wait, failure)
  }
})

test('what was written stays written when the sync fails: the first outcome stays', async () => {
  const commit = new Commit()
  commit.written.settle()
  commit.settle(failure)
  commit.synced.settle()
  await commit.written.wait()
  await assert.rejects(commit.synced.wait(), failure)
})

test('a failure that nobody waits for disturbs nobody', async (t) => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  t.after(() => process.off('unhandledRejection', note))

  const commit = new Commit()
  const heard = assert.rejects(commit.synced.wait(), failure)
  commit.settle(failure)
  await heard
  await turn()

  assert.deepEqual(unhandled, [])
})
