// What a whole server meets around it, in this process: files that it can't write, a clock that is set,
// texts that would forge its log. What takes a process of its own is in ../process.test.ts and in
// ../stress/process.test.ts.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mock } from 'node:test'
import { signJwt } from '../../lib/jwt.ts'
import { compact, createLog } from '../../lib/log.ts'
import { defineTask } from '../../tasks.ts'
import { processing, request, TYPE } from '../exchanges.ts'
import { connectSocket, exchange, statusOf, until } from '../helpers.ts'
import { type Fault, faultTest } from './fault.ts'

const files: [what: string, path: string, code: RegExp][] = [
  ['on a full disk', '/dev/full', /ENOSPC/],
  ['that is a folder', '/', /EISDIR/],
  ['in a folder that is missing', '/nowhere/log.txt', /ENOENT/],
  ['that nobody may write', '/proc/version', /EACCES|EIO|EPERM/],
]

for (const [what, path, code] of files) {
  const title = `X11: a log file ${what} fails its task, and nothing else`
  faultTest(title, checkFile, { env: { WORK_FILE: path } })

  async function checkFile({ url, tasks }: Fault) {
    assert.equal(await statusOf(url, processing('{}', TYPE)), 202)
    const newest = async () => (await tasks.list({ limit: 1 })).tasks[0]!
    await until(async () => (await newest()).error)
    const { id, error } = await newest()
    assert.match(error!.message, code)
    assert.equal(await statusOf(url, request('POST /notify/alice HTTP/1.1')), 202)
    await tasks.cancel(id) // it would try again
    await tasks.idle()
  }
}

const HOUR = 3_600_000 // milliseconds
const timed = defineTask('timed', () => {})

for (const [what, shift] of [
  ['forward', HOUR],
  ['back', -HOUR],
] as const) {
  faultTest(
    `X12: a clock that is set an hour ${what} cuts nobody, and keeps ids and their order`,
    async ({ url, tasks, scope }) => {
      const socket = await connectSocket(scope, url)
      const publish = { type: 'publish', topic: 'room:a', data: 'x', key: 'k' }
      const { offset } = await socket.ask(publish)
      const before = await tasks.add(timed, undefined, { delay: 300 })
      const now = Date.now
      const clock = mock.method(Date, 'now', () => now() + shift)
      scope.after(() => clock.mock.restore())

      const after = await tasks.add(timed, undefined, { delay: 300 })
      for (let beats = 0; beats < 3; beats++) await once(socket.socket, 'ping')
      assert.equal((await socket.ask(publish)).offset, offset, 'the key is still known')
      assert.equal(await statusOf(url, processing('{}', TYPE)), 202)
      await tasks.idle()

      const { tasks: all } = await tasks.list({ limit: 10 })
      assert.deepEqual(
        all.map(({ state }) => state),
        ['succeeded', 'succeeded', 'succeeded'],
      )
      assert.deepEqual(
        all.slice(1).map(({ id }) => id),
        [after.id, before.id],
      )
    },
    { env: { HEARTBEAT_SECONDS: '0.5' }, definitions: [timed] },
  )
}

const SECRET = 'a secret of 32 bytes, and of more'
const FORGED = '\r\n{"level":"error","message":"forged"}\u001b[31m\u0085\u2028\u2029'

const failing = defineTask('failing', (_payload: undefined, { log }) => {
  log.info(FORGED, { [FORGED]: FORGED })
  throw Object.assign(new Error(FORGED), { name: FORGED, stack: FORGED })
})

const lines: string[] = []
faultTest(
  'X17: whatever it says, an event is one line of JSON, without control characters or a token',
  async ({ url, tasks, scope }) => {
    const token = signJwt({ sub: 'alice', exp: Date.now() / 1_000 + 60, admin: true }, SECRET)
    const escaped = encodeURIComponent(FORGED)
    const asked = [
      request(`GET /${escaped}?token=${token} HTTP/1.1`),
      request('GET /tasks HTTP/1.1', `X-Request-Id: a${FORGED.slice(2)}`),
      request(
        'GET /tasks HTTP/1.1',
        `Authorization: Bearer ${token}`,
        `Origin: ${FORGED.slice(2)}`,
      ),
      request(`GET /tasks?name=${escaped}&user=${escaped}&token=${token} HTTP/1.1`),
      request(`GET /${FORGED.slice(2)} HTTP/1.1`),
      request(`POST /notify/${escaped}?token=${token} HTTP/1.1`),
      request(`GET /ws?token=${token}${escaped} HTTP/1.1`, 'Upgrade: websocket'),
    ]
    for (const bytes of asked) await exchange(url, bytes)
    const socket = await connectSocket(scope, url, { query: `token=${token}` })
    for (const topic of [`room:${FORGED}`, `user:${FORGED}`, FORGED]) {
      assert.equal((await socket.ask({ type: 'subscribe', topic })).code, 'bad_topic')
    }
    await tasks.add(failing, undefined)
    await tasks.idle()

    assert.ok(lines.some((line) => line.includes('task failed')))
    for (const line of lines) {
      assert.equal(line.indexOf('\n'), line.length - 1)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
      assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/)
      assert.notEqual(JSON.parse(line).message, 'forged')
      for (const secret of [token, SECRET]) assert.ok(!line.includes(secret), line)
    }
  },
  {
    env: { AUTH_SECRET: SECRET },
    definitions: [failing],
    log: createLog('debug', (line) => lines.push(line), compact),
  },
)
