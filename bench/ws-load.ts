// The load, a child process of `ws.ts`: `node ws-load.ts LANGUAGE`. It divides its connections
// among threads, since a single one would hardly keep up with the server.

import { once } from 'node:events'
import { connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { answerWith } from './child.ts'
import { median } from './figures.ts'
import type { came } from './ws-client.ts'
import type { Part } from './ws-thread.ts'

const THREADS = availableParallelism() > 2 ? 2 : 1
const SLOTS = 64 // far more than there are messages under way
const THREAD = new URL('ws-thread.ts', import.meta.url)

/** What came to all clients until a moment, in milliseconds. */
export type Count = typeof came & { readonly at: number }

/** Microseconds. */
export interface Times {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const [, , language = ''] = process.argv
const had = new Int32Array(new SharedArrayBuffer(4 * SLOTS))
const workers = Array.from({ length: THREADS }, (_, thread) => {
  return startThread({ language, thread, threads: THREADS, had })
})

/** Has all threads do it (see `commands` there). */
async function tell(...command: unknown[]): Promise<Count> {
  const answers = workers.map((worker) => once(worker, 'message'))
  for (const worker of workers) worker.postMessage(command)
  const count = { messages: 0, pings: 0 }
  for (const [{ messages, pings }] of await Promise.all(answers)) {
    count.messages += messages
    count.pings += pings
  }
  return { ...count, at: performance.now() }
}

/** `GET /healthz`, one after the other, for so long. */
async function health(port: number, milliseconds: number): Promise<Times> {
  const request = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
  const open = () => connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
  let socket = open()
  const times: number[] = []
  const until = performance.now() + milliseconds
  while (performance.now() < until) {
    const started = performance.now()
    socket.write(request)
    const [reply] = await once(socket, 'data')
    times.push((performance.now() - started) * 1_000)
    if (!reply.startsWith('HTTP/1.1 200')) throw new Error(`expected 200, got ${reply}`)
    if (!/^connection: close/im.test(reply)) continue
    socket.destroy() // it has had its share of requests
    socket = open()
  }
  socket.destroy()
  times.sort((a, b) => a - b)
  return { p50: median(times), p99: times[Math.floor(times.length * 0.99)]!, max: times.at(-1)! }
}

// Before Node 22.18 tsx strips the types, but `--import tsx` does not reach into a thread.
function startThread(workerData: Part): Worker {
  const options = { workerData, execArgv: [] }
  if (process.features.typescript) return new Worker(fileURLToPath(THREAD), options)
  const tsx = JSON.stringify(import.meta.resolve('tsx/esm/api'))
  const start = `import(${tsx}).then(({ register }) => { register(); return import('${THREAD}') })`
  return new Worker(start, { ...options, eval: true })
}

answerWith({ tell, health })
