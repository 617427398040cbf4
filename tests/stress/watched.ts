// Loaded into a server ahead of its own modules, to look at it from outside: on SIGUSR2 it says, as a
// line of the log, what it holds after a garbage collection; and a warning of Node's is a line, too. If
// the test is killed, the server does not stay.
//
//     node --expose-gc --import tsx --import ./tests/stress/watched.ts server.ts

import { setImmediate as turn } from 'node:timers/promises'
import { isMainThread } from 'node:worker_threads'

const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`)

process.on('warning', ({ name, message }) => {
  if (name !== 'ExperimentalWarning')
    say({ level: 'error', message: 'warning', name, text: message })
})

async function sayMemory(): Promise<void> {
  // What a finalizer lets go of is free after the next one.
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await turn()
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length
  say({ message: 'memory', bytes: heapUsed + external, rss, sockets })
}

function watch(): void {
  const parent = process.ppid
  process.on('SIGUSR2', sayMemory)
  setInterval(() => process.ppid === parent || process.exit(1), 1_000).unref()
}

if (isMainThread) watch()
