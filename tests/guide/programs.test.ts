// Every program of the guide that needs no broker.

import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { read } from '../quotes.ts'
import { commands, filesOf } from './lessons.ts'
import { testProgram } from './program.ts'

describe('what the guide says to run', { concurrency: 4 }, () => {
  for (const command of commands) if (Object.keys(command.env).length === 0) testProgram(command)
})

test('every program of the guide is in a page, or part of one that is', () => {
  const reached = new Set<string>()
  const reach = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    for (const [, path] of read(file).matchAll(/(?: from |new URL\()'([^']+\.ts)'/g)) {
      const other = join(dirname(file), path!)
      if (other.startsWith('guide/')) reach(other)
    }
  }
  for (const { file } of commands) reach(file)

  assert.deepEqual([...reached].toSorted(), filesOf('.ts').toSorted())
})
