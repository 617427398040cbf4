import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectSocket, post, spawnProgram, spawnServer } from './helpers.ts'

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} lets what runs end, says goodbye and exits 0`, async (t) => {
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

test('SIGTERM with nothing to do exits 0', async (t) => {
  const server = await spawnServer(t)
  server.child.kill('SIGTERM')
  assert.equal(await server.exited, 0)
})

test('a task that does not end in time is named, and the exit code is 1', async (t) => {
  const server = await spawnServer(t, { WORK_SECONDS: '60', DRAIN_SECONDS: '0.5' })
  await post(`${server.url}/process`, {})
  server.child.kill('SIGTERM')
  assert.equal((await server.line('task lost')).name, 'write-log')
  assert.equal(await server.exited, 1)
})

const second: [signal: 'SIGTERM' | 'SIGINT', code: number][] = [
  ['SIGTERM', 143],
  ['SIGINT', 130],
]

for (const [signal, code] of second) {
  test(`a second signal, ${signal}, exits at once with ${code}`, async (t) => {
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
  test(`${what} is logged, and the exit code is 1`, async (t) => {
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

const bad: [variable: string, value: string][] = [
  ['PORT', 'abc'],
  ['HOST', '0.0.0.0'],
  ['MAX_BODY', '-1'],
]

for (const [variable, value] of bad) {
  test(`a bad ${variable} is one clear line and exit code 1`, async (t) => {
    const program = spawnProgram(t, { [variable]: value }, ['--import', 'tsx', 'server.ts'])
    await assert.rejects(program.line(`nothing like it`), /ended before/)
    assert.equal(await program.exited, 1)
  })
}

test('a port in use is one clear line and exit code 1', async (t) => {
  const { url } = await spawnServer(t)
  const { port } = new URL(url)
  const program = spawnProgram(t, { PORT: port }, ['--import', 'tsx', 'server.ts'])
  const message = `listen EADDRINUSE: address already in use 127.0.0.1:${port}`
  assert.equal((await program.line(message)).level, 'error')
  assert.equal(await program.exited, 1)
})

test('the server goes on when nobody reads its log any more', async (t) => {
  const server = await spawnServer(t)
  server.child.stdout!.destroy()
  for (let i = 0; i < 5; i++) assert.equal((await post(`${server.url}/process`, {})).status, 202)
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
})
