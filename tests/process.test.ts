import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  connectSocket,
  type Json,
  post,
  quickEnv,
  spawnProgram,
  spawnServer,
  startApp,
  temporaryFolder,
  until,
} from './helpers.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`X2, X5: ${signal} lets what runs end, says goodbye and exits 0`, async (t) => {
    const server = await spawnServer(t, { WORK_SECONDS: '0.5' })
    const socket = await connectSocket(t, server.url)
    await post(`${server.url}/process`, {})

    server.child.kill(signal)

    assert.equal((await server.line('stopping')).signal, signal)
    await server.line('task succeeded')
    assert.equal(await socket.closed, 1001)
    await server.line('stopped')
    assert.equal(await server.exited, 0)
  })
}

test('X1: SIGTERM with nothing to do exits 0', async (t) => {
  const server = await spawnServer(t)
  server.child.kill('SIGTERM')
  assert.equal(await server.exited, 0)
})

test('X4: a task that does not end in time is named, and the exit code is 1', async (t) => {
  const env = { WORK_SECONDS: '60', DRAIN_SECONDS: '0.5', JOURNAL: 'off' }
  const server = await spawnServer(t, env)
  await post(`${server.url}/process`, {})
  server.child.kill('SIGTERM')
  assert.equal((await server.line('task lost')).name, 'write-log')
  assert.equal(await server.exited, 1)
})

test('X4: a task that does not end in time is safe in the journal, and the exit code is 0', async (t) => {
  const server = await spawnServer(t, { WORK_SECONDS: '60', DRAIN_SECONDS: '0.5' })
  await post(`${server.url}/process`, {})
  server.child.kill('SIGTERM')
  assert.equal((await server.line('tasks wait in the journal')).count, 1)
  assert.equal(await server.exited, 0)
})

test('X15: a second process on the same journal is refused with one clear line', async (t) => {
  const journal = join(await temporaryFolder(t), 'tasks.journal')
  const { url } = await startApp(t, { JOURNAL: journal })
  const { code, lines } = await outputOf({ PORT: '0', JOURNAL: journal })
  assert.equal(code, 1)
  assert.equal(lines.length, 1)
  assert.match(lines[0].message, /another process has the journal/)
  assert.equal((await post(`${url}/process`, {})).status, 202)
})

test('--repair mends a damaged journal and exits; without it the server does not start', async (t) => {
  const env = { PORT: '0', JOURNAL: join(await temporaryFolder(t), 'tasks.journal') }
  await writeFile(env.JOURNAL, 'meanwhile journal 1\nnonsense\n')

  const refused = await outputOf(env)
  const repaired = await outputOf(env, ['--repair'])
  const again = await outputOf(env, ['--repair'])

  assert.equal(refused.code, 1)
  assert.match(refused.lines[0].message, /tasks\.journal is damaged at line 2 .*--repair/)
  assert.deepEqual([repaired.code, repaired.lines.at(-1).dropped], [0, 1])
  assert.deepEqual(
    [again.code, again.lines.at(-1).message],
    [0, 'the journal is whole, nothing was changed'],
  )
  const { url } = await startApp(t, env)
  assert.equal((await post(`${url}/process`, {})).status, 202)
})

const second: [signal: 'SIGTERM' | 'SIGINT', code: number][] = [
  ['SIGTERM', 143],
  ['SIGINT', 130],
]

for (const [signal, code] of second) {
  test(`X3: a second signal, ${signal}, exits at once with ${code}`, async (t) => {
    const server = await spawnServer(t, { WORK_SECONDS: '60' })
    await post(`${server.url}/process`, {})
    server.child.kill('SIGTERM')
    await server.line('stopping')
    server.child.kill(signal)
    assert.equal(await server.exited, code)
  })
}

const crashes: [what: string, code: string][] = [
  ['an exception that nobody caught', 'throw new Error("crash")'],
  ['a rejection that nobody caught', 'Promise.reject(new Error("crash"))'],
  ['a throw of no error', 'throw undefined'],
]

for (const [what, code] of crashes) {
  test(`X7: ${what} is logged, and the exit code is 1`, async (t) => {
    const program = `
      import { run } from './lib/process.ts'
      import { readSettings } from './lib/config.ts'
      import { createApp } from './server.ts'
      await run(() => createApp(readSettings()))
      setTimeout(() => { ${code} }, 50)`
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const server = spawnProgram(t, { PORT: '0' }, args)
    await server.line('listening')
    await server.line(what.includes('rejection') ? 'unhandled rejection' : 'uncaught exception')
    await server.line('stopped')
    assert.equal(await server.exited, 1)
  })
}

/** Runs the server to its end and returns all that it logged, with the exit code. */
async function outputOf(
  env: NodeJS.ProcessEnv,
  options: readonly string[] = [],
): Promise<{ code: unknown; lines: Json[] }> {
  const program = ['--import', 'tsx', 'server.ts', ...options]
  const surroundings = {
    cwd: join(import.meta.dirname, '..'),
    env: { ...process.env, JOURNAL: 'off', ...env },
  }
  return new Promise((resolve) => {
    execFile(process.execPath, program, surroundings, (error, stdout) => {
      const lines = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      resolve({ code: error?.code ?? 0, lines })
    })
  })
}

const bad: [variable: string, value: string][] = [
  ['PORT', 'abc'],
  ['HOST', '0.0.0.0'],
  ['MAX_BODY', '-1'],
  ['AUTH_SECRET', 'x'],
]

for (const [variable, value] of bad) {
  test(`X16: a bad ${variable} is one line that names it, and exit code 1`, async () => {
    const { code, lines } = await outputOf({ [variable]: value })
    assert.equal(code, 1)
    assert.equal(lines.length, 1)
    assert.match(lines[0].message, new RegExp(`^${variable} `))
  })
}

test('X8: a port in use is one clear line, and exit code 1', async (t) => {
  const { url } = await startApp(t)
  const { port } = new URL(url)
  const { code, lines } = await outputOf({ PORT: port })
  assert.equal(code, 1)
  assert.deepEqual(
    lines.map(({ message }) => message),
    [`listen EADDRINUSE: address already in use 127.0.0.1:${port}`],
  )
})

test('X5: the server goes on when nobody reads its log any more', async (t) => {
  const server = await spawnServer(t)
  server.child.stdout!.destroy()
  for (let i = 0; i < 5; i++) assert.equal((await post(`${server.url}/process`, {})).status, 202)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})

test('X9: out of file descriptors, the server goes on, and accepts again when some are free', async (t) => {
  const limit = 'ulimit -n 200; exec "$0" "$@"' // the modules of the server want 100, all at once
  const args = ['-c', limit, process.execPath, '--import', 'tsx', 'server.ts']
  const server = spawnProgram(t, await quickEnv(t, { LOG_LEVEL: 'info' }), args, 'bash')
  const { url } = await server.line('listening')
  const { port } = new URL(url)
  const watcher = await connectSocket(t, url)
  await watcher.ask({ type: 'subscribe', topic: 'stats' })
  const open = () => connect(Number(port), '127.0.0.1').on('error', () => {})
  const sockets = Array.from({ length: 250 }, open)
  await Promise.race(sockets.map((socket) => once(socket.resume(), 'close')))
  for (let seconds = 0; seconds < 3; seconds++) await watcher.nextOf('message')

  for (const socket of sockets) socket.destroy()
  await until(() =>
    fetch(`${url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  assert.equal((await post(`${url}/process`, {})).status, 202)
})
