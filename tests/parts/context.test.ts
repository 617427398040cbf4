import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AbortableContext } from '../../lib/context.ts'
import { silent } from '../basics.ts'

test('a context aborts the same whether its signal was asked for before or after', async () => {
  for (const isAsked of [true, false]) {
    const context = new AbortableContext('id', 1, silent)
    if (isAsked) assert.equal(context.signal.aborted, false)
    const reason = new Error('stop')
    context.abort(reason)
    assert.equal(context.signal.reason, reason)
    assert.equal(context.isAborted, true)
    await assert.rejects(context.sleep(60_000), { name: 'AbortError', cause: reason })
  }
})
