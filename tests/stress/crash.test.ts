// A crash is not hidden: whatever else goes wrong at the same time, what was thrown is in the log, the
// process ends with 1, soon, and the next start has what was accepted.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { defineTask } from '../../tasks.ts'
import { connectSocket, jsonOf, post, startApp, temporaryFolder, until } from '../helpers.ts'
import { Compiled } from './compiled.ts'

let server: Compiled
before(async () => {
  server = await Compiled.make()
})
after(() => server.remove())

const spawnCode = (t: TestContext, env: NodeJS.ProcessEnv, code: string) =>
  server.spawn(
    t,
    env,
    `const crash = (error = new Error('crash')) => { throw error }
    const start = (additions) => run(() => createApp(readSettings(), additions))
    const stopping = () => process.kill(process.pid, 'SIGTERM')
    ${code}`,
  )

const getter = (name: string) => `Object.defineProperty(error, '${name}', { get: crash })`
const uncaught = 'uncaught exception'
const rejection = 'unhandled rejection'

const crashes: [what: string, code: string, logged: string[]][] = [
  [
    'before the start is over',
    `await run(async () => {
      setTimeout(crash)
      await delay(100)
      return createApp(readSettings())
    })`,
    [uncaught, 'listening', 'stopped'],
  ],
  [
    'in a start that never ends',
    'setInterval(() => {}, 1_000); setTimeout(crash); await run(() => new Promise(() => {}))',
    [uncaught],
  ],
  [
    'in a start that fails',
    `await run(async () => {
      setTimeout(crash)
      await delay(100)
      throw new Error('no start')
    })`,
    [uncaught, 'no start'],
  ],
  [
    'before a stop that fails',
    `await run(async () => ({ log: createLog('info'), close() { throw new Error('no stop') } }))
    setTimeout(crash)`,
    [uncaught, 'could not stop'],
  ],
  [
    'before a stop that never ends',
    `await run(async () => ({ log: createLog('info'), close: () => new Promise(() => {}) }))
    setTimeout(crash)`,
    [uncaught],
  ],
  [
    'again and again',
    'await start(); setInterval(crash, 1); setInterval(async () => crash(), 1)',
    [uncaught, 'stopped'],
  ],
  [
    'in the stop that a signal asked for',
    `const app = await start()
    await app.tasks.add(() => delay(1_000))
    process.once('SIGTERM', () => setTimeout(crash, 10))
    stopping()`,
    ['stopping', uncaught, 'stopped'],
  ],
  [
    'ahead of a signal',
    `const app = await start()
    await app.tasks.add(() => delay(1_000))
    process.once('uncaughtException', () => setTimeout(stopping, 10))
    setTimeout(crash)`,
    [uncaught, 'stopping', 'stopped'],
  ],
  [
    'in a timer of a task that goes on',
    `const app = await start()
    await app.tasks.add(() => {
      setTimeout(crash)
      return new Promise(() => {})
    })`,
    [uncaught, 'task lost', 'stopped'],
  ],
  [
    'behind a reply',
    `const routes = {
      'GET /crash': (request) => {
        request.replied.then(() => crash())
        return json(200, {})
      },
    }
    const app = await start({ routes })
    await fetch(app.url + '/crash')`,
    [rejection, 'stopped'],
  ],
  [
    'of an error that can’t be read',
    `await start()
    const error = new Error('x')
    ${getter('name')}; ${getter('message')}; ${getter('cause')}
    setTimeout(crash, 0, error)`,
    [uncaught, 'stopped'],
  ],
  [
    'of what can’t be looked at',
    `await start()
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    setTimeout(crash, 0, proxy)`,
    [uncaught, 'stopped'],
  ],
  [
    'of an error of 20 MB',
    `await start()
    const error = new Error('x'.repeat(1e7))
    setTimeout(crash, 0, Object.assign(error, { stack: 'x'.repeat(1e7) }))`,
    [uncaught, 'stopped'],
  ],
]

describe('side by side', { concurrency: 4 }, () => {
  for (const [what, code, logged] of crashes) {
    test(`X7: a crash ${what} is logged, and the exit code is 1`, async (t) => {
      const { line, exited } = spawnCode(t, {}, code)
      for (const message of logged) await line(message)
      assert.equal(await exited, 1)
    })
  }

  test('X7: a crash whose log nobody reads is exit code 1, too', async (t) => {
    const { child, exited } = spawnCode(t, {}, 'await start(); setTimeout(crash, 500)')
    child.stdout!.destroy()
    assert.equal(await exited, 1)
  })
})

test('X7: what was accepted before a crash, or in it, runs after the next start; sockets are told', async (t) => {
  const env = { JOURNAL: join(await temporaryFolder(t), 'tasks.journal'), CONCURRENCY: '1' }
  const { line, exited } = spawnCode(
    t,
    env,
    `const work = defineTask('work', () => new Promise(() => {}))
    const routes = {
      'POST /work': async (request) => {
        const { id } = await app.tasks.add(work, undefined, behind(request))
        return json(202, { id })
      },
      'POST /crash': () => json(200, {}, setTimeout(crash)),
    }
    const app = await start({ definitions: [work], routes })`,
  )
  const { url } = await line('listening')
  const socket = await connectSocket(t, url)
  const accepted: string[] = []
  const work = async () => {
    const reply = await post(`${url}/work`).catch(() => undefined)
    if (reply?.status === 202) accepted.push((await jsonOf(reply)).id)
    return reply?.status
  }
  await Promise.all([work(), work()])
  const stateOf = async (id?: string) => (await jsonOf(fetch(`${url}/tasks/${id}`))).state
  await until(async () => (await stateOf(accepted[0])) === 'running')

  const posts = Array.from({ length: 50 }, (_, i) => (i === 20 ? post(`${url}/crash`) : work()))
  await line(uncaught)
  await socket.nextOf('goodbye')
  assert.equal(await socket.closed, 1001)
  assert.equal(await exited, 1)
  await Promise.allSettled(posts)

  let runs = 0
  const definitions = [defineTask('work', () => void runs++)]
  const { tasks } = await startApp(t, env, { definitions })
  await tasks.idle()
  for (const id of accepted) assert.equal((await tasks.find(id))?.state, 'succeeded', id)
  assert.ok(runs >= accepted.length && accepted.length >= 2, `${runs} of ${accepted.length}`)
})
