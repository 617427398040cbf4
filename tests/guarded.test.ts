// A whole server with AUTH_SECRET: who gets in, by which way, and what is said of it.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { signJwt } from '../lib/jwt.ts'
import { createLog } from '../lib/log.ts'
import { json } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import { forAnyone } from '../lib/router.ts'
import { TICKET } from '../lib/ticket.ts'
import { handshake } from './handshake.ts'
import {
  connectSocket,
  exchange,
  type Json,
  jsonOf,
  post,
  startApp,
  statusOf,
  temporaryFolder,
} from './helpers.ts'
import { ADMIN, as, inSeconds, SECRET, startGuarded, tokenOf } from './tokens.ts'

const guarded = [
  ['POST', '/process'],
  ['POST', '/notify/alice'],
  ['POST', '/render'],
  ['GET', '/tasks'],
  ['HEAD', '/tasks'],
  ['GET', '/tasks?state=bad'],
  ['GET', '/tasks/unknown'],
  ['GET', '/tasks/unknown/result'],
  ['DELETE', '/tasks/unknown'],
  ['POST', '/tasks/unknown/retry'],
  ['POST', '/ticket'],
  ['GET', '/metrics'],
  ['POST', '/own'],
  ['PUT', '/own'],
  ['DELETE', '/own/'],
] as const

const free = [
  ['GET', '/healthz', 200],
  ['GET', '/readyz', 200],
  ['GET', '/', 200],
  ['GET', '/echo.html', 200],
  ['GET', '/ws', 426],
  ['GET', '/own', 200],
  ['OPTIONS', '/tasks', 204],
  ['POST', '/unknown', 404],
  ['POST', '/healthz', 405],
] as const

let calls = 0
const own = () => json(200, { calls: ++calls })
const routes = { 'GET /own': own, 'POST /own': own, 'PUT /own': own, 'DELETE /own': own }

for (const [method, path] of guarded) {
  test(`${method} ${path} is 401 for whoever has no token, before its handler`, async (t) => {
    const { url, tasks } = await startGuarded(t, {}, { routes })
    calls = 0
    const body = method === 'POST' ? '{' : null
    const send = (headers = {}) => fetch(`${url}${path}`, { method, body, headers })

    const [without, wrong] = [await send(), await send(as('a b'))]

    assert.deepEqual([without.status, wrong.status, calls, tasks.size], [401, 401, 0, 0])
    assert.equal(without.headers.get('www-authenticate'), 'Bearer')
    assert.equal(wrong.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    assert.equal(wrong.headers.get('content-type'), 'application/problem+json')
    assert.notEqual((await send(as('alice'))).status, 401)
  })
}

for (const [method, path, status] of free) {
  test(`${method} ${path} is ${status} for everybody`, async (t) => {
    const { url } = await startGuarded(t, {}, { routes })
    assert.equal((await fetch(`${url}${path}`, { method })).status, status)
  })
}

test('a page of another origin is 403 and a foreign Host 421 before anybody asks for a token', async (t) => {
  const { url } = await startGuarded(t, {}, { routes })
  for (const [method, path] of [
    ['POST', '/process'],
    ['DELETE', '/tasks/unknown'],
    ['PUT', '/own'],
  ] as const) {
    const headers = { origin: 'https://evil.example' }
    assert.equal((await fetch(`${url}${path}`, { method, headers })).status, 403)
  }
  const bytes = 'POST /process HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n'
  assert.match(await exchange(url, bytes), /^HTTP\/1.1 421 /)
})

test('A3: two tokens are 401, also where Node shows only the first', async (t) => {
  const { url } = await startGuarded(t)
  const { authorization } = as('alice')
  const lines = `Authorization: ${authorization}\r\nauthorization: ${authorization}`
  const bytes = `GET /tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${lines}\r\n\r\n`
  assert.match(await exchange(url, bytes), /^HTTP\/1.1 401 [\s\S]*got 2/)
  const both = await fetch(`${url}/tasks?token=${tokenOf('alice')}`, { headers: { authorization } })
  assert.equal(both.status, 401)
})

test('the figures are for an admin; others are 403', async (t) => {
  const { url } = await startGuarded(t)
  const statusFor = async (headers: Record<string, string>) =>
    (await fetch(`${url}/metrics`, { headers })).status
  assert.equal(await statusFor(as('alice')), 403)
  assert.equal(await statusFor(as('alice', { admin: 'true' })), 403)
  assert.equal(await statusFor(as('root', ADMIN)), 200)
})

test('a WebSocket opens with a token in the header, the query or a subprotocol, of which only ours is answered', async (t) => {
  const { url } = await startGuarded(t)
  const follows = { type: 'subscribe', topic: 'user:alice' }
  for (const options of [
    { headers: as('alice') },
    { query: `token=${tokenOf('alice')}` },
    { protocol: ['meanwhile.v1', `bearer.${tokenOf('alice')}`] },
    { protocol: [`bearer.${tokenOf('alice')}`, 'meanwhile.v1'] },
  ]) {
    const client = await connectSocket(t, url, options)
    assert.equal(client.socket.protocol, 'meanwhile.v1')
    assert.equal((await client.ask(follows)).type, 'ok')
  }
  const echo = await connectSocket(t, url, { headers: as('alice'), protocol: null })
  echo.send('hi')
  assert.equal(await echo.text(), 'You said: hi')
})

const ticketFrom = async (url: string, headers: Record<string, string>): Promise<string> => {
  const reply = await post(`${url}/ticket`, undefined, headers)
  assert.deepEqual([reply.status, reply.headers.get('cache-control')], [200, 'no-store'])
  return (await jsonOf(reply)).ticket
}

test('a ticket opens one WebSocket, as its user; the second is 401, and so is a request', async (t) => {
  const { url, hub } = await startGuarded(t)
  const ticket = await ticketFrom(url, as('alice'))
  const connect = () => connectSocket(t, url, { query: `ticket=${ticket}` })
  for (const query of [`ticket=${ticket}`, `token=${ticket}`]) {
    assert.equal((await fetch(`${url}/tasks?${query}`)).status, 401)
    assert.equal((await post(`${url}/ticket?${query}`)).status, 401)
  }

  const client = await connect()
  await assert.rejects(connect, (status) => status === 401)

  assert.equal(hub.size, 1)
  assert.equal((await client.ask({ type: 'subscribe', topic: 'user:alice' })).type, 'ok')
  assert.equal((await client.ask({ type: 'subscribe', topic: 'user:bob' })).code, 'forbidden')
  client.socket.close()
  await client.closed
  await assert.rejects(connect, (status) => status === 401)
})

test('of two who use one ticket at the same time one gets in', async (t) => {
  const { url } = await startGuarded(t)
  const ticket = await ticketFrom(url, as('alice'))
  const attempts = Array.from({ length: 8 }, () =>
    connectSocket(t, url, { query: `ticket=${ticket}` }),
  )
  const outcomes = await Promise.allSettled(attempts)
  const lost = outcomes.filter((one) => one.status === 'rejected').map(({ reason }) => reason)
  assert.deepEqual(lost, Array(7).fill(401))
})

test('a handshake that is refused uses up no ticket', async (t) => {
  const { url } = await startGuarded(t)
  const { ticket } = await jsonOf(post(`${url}/ticket`, undefined, as('alice')))
  const start = `GET /ws?ticket=${ticket} HTTP/1.1`

  assert.equal(await statusOf(url, handshake({ 'Sec-WebSocket-Key': 'abc' }, start)), 400)
  for (const list of [
    'chat',
    'meanwhile.v1, meanwhile.v1',
    'meanwhile.v1,,',
    'meanwhile.v1, a b',
  ]) {
    assert.equal(await statusOf(url, handshake({ 'Sec-WebSocket-Protocol': list }, start)), 400)
  }

  await connectSocket(t, url, { query: `ticket=${ticket}` })
})

test('a ticket that has expired, or whose token has, is 401', async (t) => {
  const { url } = await startGuarded(t)
  const claims = { sub: 'alice', jti: 'j', until: inSeconds(60) }
  const connect = (exp: number) => {
    const ticket = signJwt({ ...claims, exp }, SECRET, TICKET)
    return connectSocket(t, url, { query: `ticket=${ticket}` })
  }
  await assert.rejects(connect(inSeconds(-0.001)), (status) => status === 401)
  await connect(inSeconds(30))
})

for (const way of ['token', 'ticket'] as const) {
  test(`A10: a socket that came with a ${way} closes with 4101 when the token expires`, async (t) => {
    const { url } = await startGuarded(t)
    const claims = { exp: inSeconds(2) }
    const { ticket } = await jsonOf(post(`${url}/ticket`, undefined, as('alice', claims)))
    const query = way === 'ticket' ? `ticket=${ticket}` : `token=${tokenOf('alice', claims)}`
    const socket = await connectSocket(t, url, { query })
    const other = await connectSocket(t, url, { headers: as('bob') })

    assert.equal(await socket.closed, 4101)
    assert.ok(Date.now() / 1_000 >= claims.exp)
    other.send({ type: 'ping' })
    assert.equal((await other.next()).type, 'pong')
  })
}

test('a route for anyone lets strangers log in, and only that one', async (t) => {
  const login = async (request: Request) => {
    const { name } = await request.json()
    return json(200, { token: signJwt({ sub: name, exp: inSeconds(60) }, SECRET) })
  }
  const { url } = await startGuarded(
    t,
    {},
    { routes: { 'POST /login': forAnyone(login), 'POST /other': login } },
  )

  const { token } = await jsonOf(post(`${url}/login`, { name: 'alice' }))
  const reply = await post(`${url}/process`, {}, { authorization: `Bearer ${token}` })

  assert.equal(reply.status, 202)
  assert.equal((await post(`${url}/other`, { name: 'alice' })).status, 401)
})

test('on an open server there are no tickets', async (t) => {
  const { url } = await startApp(t)
  assert.equal((await post(`${url}/ticket`)).status, 404)
})

test('an open server says so at the start, in one line; another does not', async (t) => {
  const linesWith = async (env: NodeJS.ProcessEnv) => {
    const lines: Json[] = []
    const log = createLog('warn', (line) => lines.push(JSON.parse(line)), JSON.stringify)
    await startApp(t, env, { log })
    return lines.map(({ level, message }) => [level, message.slice(0, 6)])
  }
  assert.deepEqual(await linesWith({}), [['warn', 'open: ']])
  assert.deepEqual(await linesWith({ AUTH_SECRET: SECRET }), [])
})

test('A8: no token, no ticket and no secret is ever in the log, nor in the journal', async (t) => {
  const journal = join(await temporaryFolder(t), 'tasks.journal')
  const lines: string[] = []
  const log = createLog('debug', (line) => lines.push(line))
  const app = await startGuarded(t, { LOG_LEVEL: 'debug', JOURNAL: journal }, { log })
  const { url } = app
  const good = tokenOf('alice')
  const wrong = signJwt({ sub: 'alice', exp: inSeconds(60) }, 'x'.repeat(32))
  const late = tokenOf('alice', { exp: inSeconds(-1) })
  const tickets = [await ticketFrom(url, as('alice')), await ticketFrom(url, as('alice'))]
  const credentials = [good, wrong, late, ...tickets, `${good}x`]

  for (const token of credentials) {
    const headers = { authorization: `Bearer ${token}`, 'idempotency-key': 'k' }
    await post(`${url}/process`, {}, headers)
    await post(`${url}/process?token=${token}`, {}, { 'idempotency-key': 'k2' })
    await post(`${url}/process?token=${token}&token=${token}`, {})
    await fetch(`${url}/tasks?ticket=${token}`, { headers })
    await fetch(`${url}/unknown?token=${token}`)
    await exchange(
      url,
      `GET http://localhost/tasks?token=${token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    await exchange(url, `GET /tasks?token=${token} HTTP/1.1\r\nBad Header\r\n\r\n`)
    for (const options of [
      { headers: { authorization: `Bearer ${token}` } },
      { query: `token=${token}` },
      { query: `ticket=${token}` },
      { query: `ticket=${token}&ticket=${token}` },
      { protocol: ['meanwhile.v1', `bearer.${token}`] },
      { protocol: [`bearer.${token}`] },
      { query: `token=${token}`, headers: { authorization: `Bearer ${token}` } },
    ]) {
      const client = await connectSocket(t, url, options).catch(() => undefined)
      client?.socket.close()
      await client?.closed
    }
  }
  await app.tasks.idle()
  await app.close()

  const written = lines.join('') + (await readFile(journal, 'utf8'))
  assert.ok(lines.length > 30 && written.includes('client connected'))
  assert.ok(!written.includes(SECRET))
  for (const part of credentials.flatMap((token) => token.split('.').slice(1))) {
    assert.ok(!written.includes(part))
  }
  assert.doesNotMatch(written, /bearer|eyJ|[?&](token|ticket)=/i)
})
