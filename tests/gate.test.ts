import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { handshake, KEY } from './handshake.ts'
import { connectSocket, exchange, latch, startApp, statusOf, until } from './helpers.ts'
import { as, startGuarded, tokenOf } from './tokens.ts'

const gated: [what: string, bytes: string, status: number][] = [
  ['another path', handshake({}, 'GET /other HTTP/1.1'), 404],
  ['a slash after the path', handshake({}, 'GET /ws/ HTTP/1.1'), 404],
  ['two slashes before it', handshake({}, 'GET //ws HTTP/1.1'), 404],
  ['a path that climbs', handshake({}, 'GET /ws/../ws HTTP/1.1'), 404],
  ['a foreign path in full', handshake({}, 'GET http://evil/ws HTTP/1.1'), 404],
  ['POST', handshake({ 'Content-Length': '0' }, 'POST /ws HTTP/1.1'), 405],
  ['HTTP/1.0', handshake({}, 'GET /ws HTTP/1.0'), 400],
  ['HTTP/2.0', handshake({}, 'GET /ws HTTP/2.0'), 505],
  ['no Host', handshake({ Host: undefined }), 400],
  ['two Hosts', handshake({ HOST: 'localhost' }), 400],
  ['a Host that is none', handshake({ Host: 'u@localhost' }), 400],
  ['a foreign Host', handshake({ Host: 'evil.example' }), 421],
  ['no version', handshake({ 'Sec-WebSocket-Version': undefined }), 426],
  ['version 8', handshake({ 'Sec-WebSocket-Version': '8' }), 426],
  ['version 12', handshake({ 'Sec-WebSocket-Version': '12' }), 426],
  ['no key', handshake({ 'Sec-WebSocket-Key': undefined }), 400],
  ['a short key', handshake({ 'Sec-WebSocket-Key': 'abc' }), 400],
  ['two keys', handshake({ 'sec-websocket-key': KEY }), 400],
  ['an unknown subprotocol alone', handshake({ 'Sec-WebSocket-Protocol': 'chat' }), 400],
  ['an empty subprotocol', handshake({ 'Sec-WebSocket-Protocol': '' }), 400],
  [
    'a doubled subprotocol',
    handshake({ 'Sec-WebSocket-Protocol': 'meanwhile.v1, meanwhile.v1' }),
    400,
  ],
  ['a foreign Origin', handshake({ Origin: 'https://evil.example' }), 403],
  ['the Origin null', handshake({ Origin: 'null' }), 403],
  ['an Origin on another port', handshake({ Origin: 'http://localhost:1' }), 403],
  ['an Origin that only begins like ours', handshake({ Origin: 'http://localhost.evil' }), 403],
  ['an Origin in capitals', handshake({ Origin: 'http://LOCALHOST' }), 403],
  ['two Origins', handshake({ Origin: 'http://localhost', origin: 'http://localhost' }), 403],
  ['a user that is no name', handshake({}, 'GET /ws?user=a%20b HTTP/1.1'), 422],
  [
    '101 headers',
    handshake(Object.fromEntries(Array.from({ length: 97 }, (_, i) => [`x${i}`, '']))),
    431,
  ],
]

for (const [what, bytes, status] of gated) {
  test(`the gate answers ${status} to ${what}`, async (t) => {
    const { url, hub } = await startApp(t)

    const answer = await exchange(url, bytes)

    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
    assert.match(answer, /content-type: application\/problem\+json/)
    assert.match(answer, /connection: close/i)
    assert.equal(hub.size, 0)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
  })
}

test('a request that offers h2c is served without, or told so where Node cannot be asked', async (t) => {
  const { url } = await startApp(t)
  const h2c = {
    Connection: 'Upgrade, HTTP2-Settings, close',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AA',
  }
  const answer = await exchange(url, handshake(h2c, 'GET /healthz HTTP/1.1'))
  const canAsk = 'shouldUpgradeCallback' in createServer({ shouldUpgradeCallback: () => false })
  assert.match(
    answer,
    canAsk ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 400 [\s\S]*expected Upgrade: websocket/,
  )
})

test('a handshake behind a request that still waits for its reply is cut off', async (t) => {
  const routes = { 'GET /never': () => new Promise<never>(() => {}) }
  const { url, hub } = await startApp(t, {}, { routes })
  const first = 'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n'
  assert.equal(await exchange(url, first + handshake()), '')
  assert.equal(hub.size, 0)
})

test('the gate says which version it speaks', async (t) => {
  const { url } = await startApp(t)
  const answer = await exchange(url, handshake({ 'Sec-WebSocket-Version': '12' }))
  assert.match(answer, /sec-websocket-version: 13\r\n/i)
})

test('of several subprotocols only our own is answered', async (t) => {
  const { url } = await startApp(t)
  const offered = { 'Sec-WebSocket-Protocol': 'bearer.SECRET, meanwhile.v1' }
  const { port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(handshake(offered))
  const [answer] = await once(socket, 'data')
  assert.match(String(answer), /^HTTP\/1.1 101 [\s\S]*Sec-WebSocket-Protocol: meanwhile.v1\r\n/)
  assert.doesNotMatch(String(answer), /SECRET/)
})

test('a page of this server may connect', async (t) => {
  const { url } = await startApp(t)
  await connectSocket(t, url, { headers: { origin: url } })
  await connectSocket(t, url, { headers: { origin: url.replace('127.0.0.1', 'localhost') } })
})

test('one connection too many is 503, one too many of an address 429', async (t) => {
  const all = await startApp(t, { MAX_CONNECTIONS: '1' })
  const first = await connectSocket(t, all.url)
  await assert.rejects(connectSocket(t, all.url), (status) => status === 503)
  first.socket.close()
  await first.closed
  await until(() => all.hub.size === 0)
  await connectSocket(t, all.url)

  const each = await startApp(t, { MAX_CONNECTIONS_PER_ADDRESS: '1' })
  await connectSocket(t, each.url)
  await assert.rejects(connectSocket(t, each.url), (status) => status === 429)
})

test('behind a trusted proxy the address is the one that it names', async (t) => {
  const { url } = await startApp(t, { MAX_CONNECTIONS_PER_ADDRESS: '1', TRUST_PROXY: '127.0.0.1' })
  const from = (address: string) =>
    connectSocket(t, url, { headers: { 'x-forwarded-for': address } })
  await from('203.0.113.1')
  await from('203.0.113.2')
  await assert.rejects(from('9.9.9.9, 203.0.113.2'), (status) => status === 429)
})

test('a reset in the middle of a handshake leaves nothing behind', async (t) => {
  const { url, hub } = await startApp(t)
  const { port } = new URL(url)
  for (let i = 0; i < 20; i++) {
    const socket = connect(Number(port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(handshake())
    socket.resetAndDestroy()
  }
  await connectSocket(t, url)
  await until(() => hub.size === 1)
  assert.equal(hub.size, 1)
})

test('frames that come together with the handshake are heard', async (t) => {
  const { url } = await startApp(t)
  const hi = Buffer.concat([Buffer.from([0x81, 0x82, 0, 0, 0, 0]), Buffer.from('hi')])
  const close = Buffer.from([0x88, 0x80, 0, 0, 0, 0])
  const answer = await exchange(url, Buffer.concat([Buffer.from(handshake()), hi, close]))
  assert.match(answer, /You said: hi/)
})

test('an upgrade while draining is 503', async (t) => {
  const app = await startApp(t)
  const { opened, open } = latch()
  await app.tasks.add(() => opened)
  const closed = app.close(5_000)
  assert.equal(await statusOf(app.url, handshake()), 503)
  open()
  assert.equal(await closed, true)
})

const strangers: [what: string, bytes: string][] = [
  ['no token', handshake()],
  ['a wrong token', handshake({ Authorization: 'Bearer x.y.z' })],
  [
    'two headers with a token',
    handshake({ Authorization: `Bearer ${tokenOf('a')}`, authorization: `Bearer ${tokenOf('a')}` }),
  ],
  ['a user who only says so', handshake({}, 'GET /ws?user=alice HTTP/1.1')],
  [
    'a wrong token as a subprotocol',
    handshake({ 'Sec-WebSocket-Protocol': 'meanwhile.v1, bearer.x' }),
  ],
  ['a wrong ticket', handshake({}, 'GET /ws?ticket=x HTTP/1.1')],
]

for (const [what, bytes] of strangers) {
  test(`A1: with a secret the gate answers 401 to ${what}, before any 101`, async (t) => {
    const { url, hub } = await startGuarded(t)
    const answer = await exchange(url, bytes)
    assert.match(answer, /^HTTP\/1.1 401 [\s\S]*www-authenticate: Bearer/)
    assert.match(answer, /content-type: application\/problem\+json/)
    assert.equal(hub.size, 0)
  })
}

test('who is turned away for another reason is not asked for a token', async (t) => {
  const env = { MAX_CONNECTIONS: '2', MAX_CONNECTIONS_PER_ADDRESS: '1', TRUST_PROXY: '127.0.0.1' }
  const { url } = await startGuarded(t, env)
  const from = (address: string, headers: Record<string, string> = {}) =>
    connectSocket(t, url, { headers: { 'x-forwarded-for': address, ...headers } })
  assert.equal(await statusOf(url, handshake({ Host: 'evil.example' })), 421)
  assert.equal(await statusOf(url, handshake({ Origin: 'https://evil.example' })), 403)
  await from('203.0.113.1', as('alice'))
  await assert.rejects(from('203.0.113.1'), (status) => status === 429)
  await assert.rejects(from('203.0.113.2'), (status) => status === 401)
  await from('203.0.113.2', as('alice'))
  await assert.rejects(from('203.0.113.3'), (status) => status === 503)
})

test('a ticket is not used up by a handshake that is refused for another reason', async (t) => {
  const env = { MAX_CONNECTIONS_PER_ADDRESS: '1' }
  const { url } = await startGuarded(t, env)
  const first = await connectSocket(t, url, { headers: as('alice') })
  const reply = await fetch(`${url}/ticket`, { method: 'POST', headers: as('alice') })
  const { ticket } = (await reply.json()) as { ticket: string }
  const again = () => connectSocket(t, url, { query: `ticket=${ticket}` })
  await assert.rejects(again, (status) => status === 429)
  first.socket.close()
  await first.closed
  await again()
})
