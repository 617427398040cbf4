// `POST /process?wait=true`: the work inside the request, for as long as its client waits.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createLog } from '../lib/log.ts'
import type { App } from '../server.ts'
import {
  connectTcp,
  exchange,
  type Json,
  jsonOf,
  latch,
  post,
  spawnServer,
  startApp,
  temporaryFolder,
  until,
} from './helpers.ts'

const FOR_EVER = '86400' // seconds: what ends before has been stopped
const START = 'POST /process?wait=true HTTP/1.1\r\nHost: localhost\r\n'
const REQUEST = `${START}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`
const PROBE = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** A server, the file of its jobs, and what it logs. */
async function startLogged(t: TestContext, workSeconds: string) {
  const file = join(await temporaryFolder(t), 'log.txt')
  const lines: Json[] = []
  const log = createLog('debug', (line) => lines.push(JSON.parse(line)), JSON.stringify)
  const app = await startApp(t, { WORK_SECONDS: workSeconds, WORK_FILE: file }, { log })
  const replies = (path: string): number[] =>
    lines.filter((line) => line.path === path).map(({ status }) => status)
  return { app, file, lines, replies }
}

/** Sends these bytes, and resolves when what they ask for is under way. */
async function begin(app: App, bytes: string, replies: (path: string) => number[]) {
  const socket = connectTcp(app.url)
  const before = replies('/healthz').length
  socket.resume().write(bytes + PROBE) // which is handled next, although its reply has to wait
  await until(() => replies('/healthz').length > before)
  return socket
}

test('a job that is waited for is done when the answer comes, and is no task', async (t) => {
  const { app, file } = await startLogged(t, '0.1')

  const reply = await post(`${app.url}/process?wait=true`, '{ "order": 42 }')
  const written = await readFile(file, 'utf8')
  const { status, seconds, ...rest } = await jsonOf(reply)

  assert.equal(reply.status, 200)
  assert.equal(written, 'Processed: {"order":42}\n')
  assert.deepEqual([status, rest], ['done', {}])
  assert.ok(seconds > 0.09, `${seconds}`)
  assert.match(String(seconds), /^\d+(\.\d{1,3})?$/)
  assert.equal(reply.headers.get('location'), null)
  assert.deepEqual((await app.tasks.list({ limit: 1 })).tasks, [])
})

test('a job that is not to be waited for is a task, as always', async (t) => {
  const { url, tasks } = await startApp(t)
  const reply = await post(`${url}/process?wait=false&fail=1`, {})
  assert.equal(reply.status, 202)
  assert.equal(reply.headers.get('location'), `/tasks/${(await jsonOf(reply)).id}`)
  await tasks.idle()
  assert.equal((await tasks.list({ limit: 2 })).tasks.length, 1)
})

const refused: [query: string, pointer: string][] = [
  ['wait=', 'wait'],
  ['wait=1', 'wait'],
  ['wait=True', 'wait'],
  ['wait=no&fail=1', 'wait'],
  ['wait=true&fail=1', 'fail'],
  ['wait=true&fail=0', 'fail'],
  ['wait=true&fail=x', 'fail'],
  ['wait=false&fail=x', 'fail'],
]

for (const [query, pointer] of refused) {
  test(`POST /process?${query} is 422 and names ${pointer}, and nothing is done`, async (t) => {
    const { app, file } = await startLogged(t, '0')
    const reply = await post(`${app.url}/process?${query}`, {})
    assert.equal(reply.status, 422)
    assert.equal((await jsonOf(reply)).errors[0].pointer, pointer)
    assert.equal(app.tasks.size, 0)
    await assert.rejects(readFile(file), { code: 'ENOENT' })
  })
}

const bodies: [body: string | undefined, type: string][] = [
  [undefined, 'application/json'],
  ['{', 'application/json'],
  ['[]', 'application/json'],
  ['{"a":1e999}', 'application/json'],
  ['{}', 'text/plain'],
  [`{"a":"${'x'.repeat(65_536)}"}`, 'application/json'],
]

for (const [body, type] of bodies) {
  test(`waiting or not, ${body?.slice(0, 12) ?? 'no body'} as ${type} gets the same refusal`, async (t) => {
    const { app, file } = await startLogged(t, '0')
    const send = async (query: string) => {
      const reply = await post(`${app.url}/process${query}`, body, { 'content-type': type })
      return [reply.status, await reply.text()]
    }

    const answer = await send('?wait=true')

    assert.ok(Number(answer[0]) >= 400 && Number(answer[0]) < 500)
    assert.deepEqual(answer, await send(''))
    await assert.rejects(readFile(file), { code: 'ENOENT' })
  })
}

const departures: [how: string, leave: (socket: Socket) => void, before: string][] = [
  ['hangs up', (socket) => socket.destroy(), ''],
  ['resets the connection', (socket) => socket.resetAndDestroy(), ''],
  ['says that it is done', (socket) => socket.end(), ''],
  ['hangs up, in line behind another', (socket) => socket.destroy(), REQUEST],
]

for (const [how, leave, before] of departures) {
  test(`the work stops when the client ${how}: nothing is written, and no error logged`, async (t) => {
    const { app, file, lines, replies } = await startLogged(t, FOR_EVER)
    const socket = await begin(app, before + REQUEST, replies)
    assert.deepEqual(replies('/process'), [])

    leave(socket)

    const expected = before === '' ? [400] : [400, 400]
    await until(() => replies('/process').length === expected.length)
    assert.deepEqual(replies('/process'), expected)
    await assert.rejects(readFile(file), { code: 'ENOENT' })
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error'),
      [],
    )
  })
}

test('a file that can’t be written is a bare 500, with the reason in the log only', async (t) => {
  const lines: Json[] = []
  const log = createLog('error', (line) => lines.push(JSON.parse(line)))
  const { url } = await startApp(t, { WORK_FILE: '/' }, { log })
  const reply = await post(`${url}/process?wait=true`, {})
  assert.equal(reply.status, 500)
  assert.doesNotMatch(await reply.text(), /EISDIR/)
  assert.match(lines[0].error.message, /EISDIR/)
})

test('a thousand may wait at a time, one more is 503 with Retry-After, and leaves nothing behind', async (t) => {
  const { app, replies } = await startLogged(t, FOR_EVER)
  const sockets: Socket[] = []
  for (let n = 0; n < 200; n++) sockets.push(await begin(app, REQUEST.repeat(5), replies))

  const reply = await post(`${app.url}/process?wait=true`, {})

  assert.deepEqual([reply.status, reply.headers.get('retry-after')], [503, '1'])
  for (const socket of sockets) socket.destroy()
  await until(() => replies('/process').length === 1_001)
  const again = await begin(app, REQUEST, replies)
  assert.equal(replies('/process').length, 1_001, 'there is room again')
  again.destroy()
})

test('while draining to be waited for is 503 with Retry-After; what is under way gets its answer', async (t) => {
  const { app, file, replies } = await startLogged(t, '0.3')
  const { opened, open } = latch()
  await app.tasks.add(() => opened)
  const underWay = exchange(app.url, REQUEST + PROBE)
  await until(() => replies('/healthz').length > 0)

  const closed = app.close()
  const late = await post(`${app.url}/process?wait=true`, {})
  open()

  assert.deepEqual([late.status, late.headers.get('retry-after')], [503, '1'])
  assert.match(await underWay, /^HTTP\/1\.1 200 [\s\S]*"done"/)
  assert.equal(await closed, true)
  assert.equal(await readFile(file, 'utf8'), 'Processed: {}\n')
})

test('what is waited for when the time to stop is over is cut off, and nothing is written', async (t) => {
  const { app, file, replies } = await startLogged(t, FOR_EVER)
  const socket = await begin(app, REQUEST, replies)
  const cut = once(socket, 'close')

  assert.equal(await app.close(200), true)

  await cut
  await until(() => replies('/process').length > 0)
  assert.deepEqual(replies('/process'), [400])
  await assert.rejects(readFile(file), { code: 'ENOENT' })
})

test('a process ends by itself once its server has closed, whoever was waiting', async (t) => {
  const program = `
    import { readSettings } from './lib/config.ts'
    import { createApp } from './server.ts'
    const app = await createApp(readSettings())
    process.once('SIGTERM', () => app.close(500))`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const server = await spawnServer(t, { WORK_SECONDS: FOR_EVER }, args)
  const socket = connectTcp(server.url)
  socket.resume().write(REQUEST + PROBE)
  await server.line('replied')

  server.child.kill('SIGTERM')

  await server.line('stopped')
  assert.equal(await server.exited, 0)
})
