// Every program of the guide is run as its page says, and prints what its page says. Where a page needs
// Redis or RabbitMQ, one of the tests' own is in the place of the reader's.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { startRabbitMq, startRedis } from '../engines/brokers.ts'
import { read } from '../quotes.ts'
import { type Command, commands, filesOf } from './lessons.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const LOADER = process.features.typescript ? [] : ['--import', 'tsx']
const STAYS = /^open http:\S+ .*Ctrl\+C ends it$/m // a server, and no program that ends by itself

// Those that a page says to start, and the tests' own in their place.
const brokers = new Map([
  ['redis://127.0.0.1:6379', await startRedis({ after })],
  ['amqp://127.0.0.1:5672', await startRabbitMq({ after })],
])

function realEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).map(([name, written]) => [name, brokers.get(written!)!.url]),
  )
}

async function run({ file, env, output }: Command): Promise<string> {
  const child = spawn(process.execPath, [...LOADER, file], {
    cwd: ROOT,
    env: { ...process.env, PORT: '0', JOURNAL: 'off', ...realEnv(env) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (STAYS.test(output)) child.stdout.once('data', () => child.kill('SIGINT'))
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  assert.equal(code, 0, printed)
  return printed
}

// What another machine, or another moment, makes another number: times, sizes, shares, ports.
function masked(printed: string): string {
  return printed
    .replace(/^\d+\.\d s/gm, '… s')
    .replace(/[\d,]+(?= (ms|MB|% of|questions|messages a second|a second))/g, '…')
    .replace(/(?<=127\.0\.0\.1:)\d+/g, '…')
}

describe('what the guide says to run prints what the guide says', { concurrency: 4 }, () => {
  for (const command of commands) {
    const variables = Object.keys(command.env).map((name) => `${name}=… `)
    test(`${variables.join('')}node ${command.file}`, async () => {
      const printed = await run(command)

      assert.equal(masked(printed), masked(command.output))
    })
  }
})

test('every program of a lesson is in its page, or part of one that is', () => {
  const run = new Set(commands.map(({ file }) => file))
  const files = filesOf('.ts')
  for (const file of files) {
    const name = file.split('/').at(-1)!
    const isPart = files.some((other) => other !== file && read(other).includes(`${name}'`))
    assert.ok(run.has(file) || isPart, file)
  }
})
