// The server as a process, among signals, stopped, short of memory, without a terminal: it ends as it
// should or goes on, and its journal is whole.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { handshake } from '../handshake.ts'
import {
  connectSocket,
  connectTcp,
  jsonOf,
  post,
  startApp,
  temporaryFolder,
  until,
} from '../helpers.ts'
import { Compiled } from './compiled.ts'

const SMALL = '--max-old-space-size=64'
const HANG = 30_000 // milliseconds

let server: Compiled
before(async () => {
  server = await Compiled.make()
})
after(() => server.remove())

/** Files of its own, and jobs that do not end. */
async function slowEnv(t: TestContext) {
  const folder = await temporaryFolder(t)
  const files = { JOURNAL: join(folder, 'tasks.journal'), WORK_FILE: join(folder, 'log.txt') }
  return { ...files, WORK_SECONDS: '60', NOTIFY_SECONDS: '60' }
}

/** Ids of tasks that the server has accepted. */
async function accept(url: string, count: number): Promise<string[]> {
  const replies = Array.from({ length: count }, (_, n) => jsonOf(post(`${url}/process`, { n })))
  return (await Promise.all(replies)).map(({ id }) => id)
}

/** The next start has them all, and they run. */
async function checkJournal(t: TestContext, env: NodeJS.ProcessEnv, ids: readonly string[]) {
  const { tasks } = await startApp(t, { ...env, WORK_SECONDS: '0', NOTIFY_SECONDS: '0' })
  await tasks.idle()
  for (const id of ids) assert.equal((await tasks.find(id))?.state, 'succeeded')
}

const ends: [what: string, signals: NodeJS.Signals[], code: number | null][] = [
  ['X3: a second SIGTERM', ['SIGTERM', 'SIGTERM'], 143],
  ['X3: a SIGINT after a SIGTERM', ['SIGTERM', 'SIGINT'], 130],
  ['X5: SIGHUP, of a terminal that is closed,', ['SIGHUP'], null],
  ['X6: SIGKILL', ['SIGKILL'], null],
]

// Without a core file, and without the words of V8 about its end.
const quietly = ['bash', '-c', 'ulimit -c 0; exec "$@" 2>/dev/null', 'bash', process.execPath]

const refusals: [what: string, env: NodeJS.ProcessEnv, command: string[], message: RegExp][] = [
  [
    'an address that is not of this machine',
    { HOST: '192.0.2.1', AUTH_SECRET: 'x'.repeat(32) },
    [],
    /^listen EADDRNOTAVAIL.* 192\.0\.2\.1/,
  ],
]
const unprivileged = '/proc/sys/net/ipv4/ip_unprivileged_port_start'
if (existsSync(unprivileged) && Number(readFileSync(unprivileged)) > 1) {
  // Root may have any port, but for this.
  const command = ['setpriv', '--bounding-set', '-net_bind_service', process.execPath]
  const isRoot = process.getuid?.() === 0
  refusals.push([
    'a port that it may not have',
    { PORT: '1' },
    isRoot ? command : [],
    /^listen EACCES.*:1$/,
  ])
}

describe('side by side', { concurrency: 4 }, () => {
  for (const [what, [first, second], code] of ends) {
    test(`${what} ends it at once, and the journal has all that was accepted`, async (t) => {
      const env = await slowEnv(t)
      const { child, line, exited } = server.start(t, env)
      const ids = await accept((await line('listening')).url, 20)
      child.kill(first)
      if (second) {
        await line('stopping')
        child.kill(second)
      }
      assert.equal(await exited, code)
      await checkJournal(t, env, ids)
    })
  }

  test('X4: past its time to stop it cuts who does not close, names what is lost, exits with 1', async (t) => {
    const code = `
      const routes = { 'GET /never': () => new Promise(() => {}) }
      const app = await run(() => createApp(readSettings(), { routes }))
      await app.tasks.add(function deaf() { return new Promise(() => {}) })
      app.log.info('added')`
    const { child, line, exited } = server.spawn(t, { DRAIN_SECONDS: '1' }, code)
    const { url } = await line('listening')
    await line('added')
    const open = async (bytes: string) => {
      const socket = connectTcp(url)
      t.after(() => socket.destroy())
      socket.on('error', () => {}).write(bytes) // and nothing is answered or closed
      await once(socket, 'connect')
      return socket
    }
    await open('')
    await open('GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(await open(handshake()), 'data')

    child.kill('SIGTERM')
    assert.equal((await line('task lost')).name, 'deaf')
    await line('stopped')
    assert.equal(await exited, 1)
  })

  test('X5: without stdin, stdout and stderr it works, and stops', async (t) => {
    const env = await slowEnv(t)
    const place = `${env.JOURNAL}.url`
    const code = `
      const { rename, writeFile } = await import('node:fs/promises')
      const { url } = await run(() => createApp(readSettings()))
      await writeFile('${place}.new', url)
      await rename('${place}.new', '${place}')`
    const closed = ['bash', '-c', 'exec "$@" <&- >&- 2>&-', 'bash', process.execPath]
    const { child, exited } = server.spawn(t, { ...env, WORK_SECONDS: '0' }, code, [], closed)
    await until(() => existsSync(place))
    const url = await readFile(place, 'utf8')
    const ids = await accept(url, 3)
    child.kill('SIGTERM')
    assert.equal(await exited, 0)
    await checkJournal(t, env, ids)
  })

  for (const [what, env, command, message] of refusals) {
    test(`X8: ${what} is one clear line, and exit code 1`, async (t) => {
      const { child, exited } = server.start(t, env, [], command)
      const lines = (await text(child.stdout!)).trimEnd().split('\n')
      assert.equal(await exited, 1)
      assert.equal(lines.length, 1)
      assert.match(JSON.parse(lines[0]!).message, message)
    })
  }

  test('X14: a server that was stopped for many heartbeats and goes on has cut nobody who is there', async (t) => {
    const { child, line } = server.start(t, { HEARTBEAT_SECONDS: '0.5' })
    const { url } = await line('listening')
    const sockets = await Promise.all(Array.from({ length: 30 }, () => connectSocket(t, url)))
    child.kill('SIGSTOP')
    for (const { socket } of sockets.slice(0, 10)) socket.send('{"type":"ping"}')
    await delay(2_000) // as long as it is stopped
    child.kill('SIGCONT')

    for (let beats = 0; beats < 3; beats++) {
      await Promise.all(sockets.map(({ socket }) => once(socket, 'ping')))
    }
    for (const socket of sockets) {
      socket.send({ type: 'ping' })
      assert.equal((await socket.nextOf('pong')).type, 'pong')
    }
  })
})

test('X13: with little memory a flood meets the limits, and the server goes on', async (t) => {
  const env = { ...(await slowEnv(t)), WORK_SECONDS: '0', NOTIFY_SECONDS: '0' }
  const { line } = server.start(t, { ...env, KEEP: '100' }, [SMALL])
  const { url } = await line('listening')
  const deaf = await Promise.all(
    Array.from({ length: 20 }, () => connectSocket(t, url, { user: 'eve' })),
  )
  for (const socket of deaf) {
    await socket.ask({ type: 'subscribe', topic: 'user:eve' })
    socket.socket.pause()
  }
  const [small, large] = ['x'.repeat(1_000), 'x'.repeat(59_000)]
  const statuses = new Set<number>()
  await inTurn(20, 900, async (n) => {
    const [path, body] = (
      [
        ['process', { small }],
        ['notify/eve', { message: large }],
        ['process', { large, small, more: large }],
      ] as const
    )[n % 3]!
    statuses.add((await post(`${url}/${path}`, body)).status)
  })

  assert.deepEqual([...statuses].toSorted(), [202, 413])
  assert.equal((await fetch(`${url}/readyz`)).status, 200)
  for (const { socket } of deaf) socket.resume()
  await Promise.all(deaf.map(({ closed }) => closed)) // since each was too slow
})

test('X13: a server that dies of more than its memory has all that it accepted in its journal', async (t) => {
  const env = { ...(await slowEnv(t)), MAX_BODY: '2000000', WORK_FILE: '/dev/null' }
  const { child, line, exited } = server.start(t, env, [SMALL], quietly)
  const { url } = await line('listening')
  const ids: string[] = []
  const large = 'x'.repeat(1_000_000)
  await inTurn(4, 200, async (n) => {
    const reply = await post(`${url}/process`, { n, large }, {}, AbortSignal.timeout(HANG)).catch(
      () => undefined,
    )
    if (reply?.status === 202) ids.push((await jsonOf(reply)).id)
  })
  child.kill('SIGKILL') // if it is still there
  await exited
  assert.ok(ids.length > 10, `${ids.length} were accepted`)
  await checkJournal(t, env, ids)
})

/** So many at a time. */
async function inTurn(together: number, times: number, act: (n: number) => Promise<void>) {
  let n = 0
  const one = async () => {
    while (n < times) await act(n++)
  }
  await Promise.all(Array.from({ length: together }, one))
}
