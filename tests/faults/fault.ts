// A fault and its test: a whole server is given something bad. Afterwards it still answers, and nothing
// is left of it: no timer, socket, descriptor, listener, WebSocket or unfinished task; and once it is
// closed, nothing of the server itself. A title begins with the row's name in README.md.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { compact, createLog } from '../../lib/log.ts'
import { within } from '../../lib/within.ts'
import type { Additions, App } from '../../server.ts'
import { request } from '../exchanges.ts'
import {
  connectSocket,
  type Json,
  type Scope,
  scoped,
  startApp,
  statusOf,
  temporaryFolder,
} from '../helpers.ts'
import { type Footprint, footprint, settle } from './footprint.ts'

export interface Fault extends App {
  /** What the server has logged so far, at `debug` and above. */
  readonly logged: readonly Json[]
  /** Where `POST /process` writes its lines. */
  readonly workFile: string
  /** For what the test opens: undone before anybody looks at what was left behind. */
  readonly scope: Scope
}

export interface FaultOptions extends Additions {
  readonly env?: NodeJS.ProcessEnv
}

const HANG = 5_000 // milliseconds

// What Node makes once, and keeps: pools, descriptors of its own.
before(() =>
  scoped(async (scope) => {
    const { url } = await startApp(scope)
    await connectSocket(scope, url)
    await checkHealth(url)
  }),
)

/** A test of one fault, or of what is known by its row's name. Tests inside it run side by side. */
export function faultTest(
  title: string,
  body: (fault: Fault, t: TestContext) => Promise<unknown>,
  { env, ...additions }: FaultOptions = {},
): void {
  test(title, { timeout: 60_000, concurrency: true }, async (t) => {
    const warnings: string[] = []
    const warn = ({ message }: Error) => warnings.push(message)
    const empty = footprint()
    process.on('warning', warn)
    await scoped(async (server) => {
      const logged: Json[] = []
      const log = createLog('debug', (line) => logged.push(JSON.parse(line)), compact)
      const workFile = join(await temporaryFolder(server), 'log.txt')
      const app = await startApp(server, { WORK_FILE: workFile, ...env }, { log, ...additions })
      const idle = footprintOf(app)
      await scoped((scope) => body({ ...app, logged, workFile, scope }, t))
      await settle(idle, () => footprintOf(app))
      await checkHealth(app.url)
    })
    process.off('warning', warn)
    await settle(empty)
    assert.deepEqual(warnings, [], 'such as one of too many listeners')
  })
}

function footprintOf({ tasks, hub }: App): Footprint {
  return { ...footprint(), tasks: tasks.size, webSockets: hub.size }
}

/** A server that is well answers on a new connection, whatever it was given on others. */
export async function checkHealth(url: string): Promise<void> {
  const answer = statusOf(url, request('GET /healthz HTTP/1.1'))
  assert.ok(await within(HANG, answer), 'the server does not answer any more')
  assert.equal(await answer, 200)
}
