// The soak as a test: one minute of it. What it looks at is in soak.ts.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

/** Runs it, and returns its exit code and what it said. */
async function soak(t: TestContext, ...args: string[]) {
  const program = ['--import', 'tsx', join(import.meta.dirname, 'soak.ts'), ...args]
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGTERM'))
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await once(child, 'exit')
  const [out, err] = await said
  return { code, out, err }
}

test('a minute of everything at once: nothing is lost, doubled, out of order or left behind', async (t) => {
  const { code, out, err } = await soak(t, '1')
  assert.equal(code, 0, `${out}\n${err}`)
})

for (const args of [['0'], ['x'], ['1', 'x'], ['1', '2', '3']]) {
  test(`a soak of "${args.join(' ')}" is refused in one line`, async (t) => {
    const { code, out, err } = await soak(t, ...args)
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, /^expected \[MINUTES\] \[SEED\].*\n$/)
  })
}
