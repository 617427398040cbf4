// A program of the guide, started as its page says, and what it prints beside what the page says.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { Command } from './lessons.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const LOADER = process.features.typescript ? [] : ['--import', 'tsx']
const STAYS = /^open http:\S+ .*Ctrl\+C ends it$/m // a server, and no program that ends by itself

/** Tests that it prints what its page says. `env` is in the place of what the page sets. */
export function testProgram({ file, env: written, output }: Command, env = written): void {
  const variables = Object.entries(written).map(([name, value]) => `${name}=${value} `)
  test(`${variables.join('')}node ${file} prints what its page says`, async (t) => {
    const { code, printed, complaints } = await run(t, file, env, STAYS.test(output))

    assert.equal(masked(printed), masked(output))
    assert.equal(complaints, '')
    assert.equal(code, 0)
  })
}

/** As a reader starts it, but on any free port. Killed when the test ends. */
export function startProgram(t: TestContext, file: string, env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [...LOADER, file], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  return child
}

async function run(t: TestContext, file: string, env: NodeJS.ProcessEnv, stays: boolean) {
  const child = startProgram(t, file, env)
  if (stays) child.stdout.once('data', () => child.kill('SIGINT'))
  const ended = once(child, 'exit')
  const [printed, complaints] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await ended
  return { code, printed, complaints }
}

// What another machine, or another moment, makes another number: times, sizes, shares, ports.
function masked(printed: string): string {
  return printed
    .replace(/^\d+\.\d s/gm, '… s')
    .replace(/[\d,]+(?= (ms|MB|% of|messages a second|a second))/g, '…')
    .replace(/(?<=question )\d+/g, '…')
    .replace(/(?<=127\.0\.0\.1:)\d+/g, '…')
}
