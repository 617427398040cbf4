import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handshake } from './handshake.ts'
import { connectSocket, exchange, latch, startApp, statusOf, until } from './helpers.ts'
import { as, startGuarded } from './tokens.ts'

// What else is refused: see faults/upgrade.test.ts and faults/access.test.ts.
const gated: [what: string, bytes: string, status: number][] = [
  ['a foreign Host', handshake({ Host: 'evil.example' }), 421],
  ['a user that is no name', handshake({}, 'GET /ws?user=a%20b HTTP/1.1'), 422],
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

test('a handshake behind a request that still waits for its reply is cut off', async (t) => {
  const routes = { 'GET /never': () => new Promise<never>(() => {}) }
  const { url, hub } = await startApp(t, {}, { routes })
  const first = 'GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n'
  assert.equal(await exchange(url, first + handshake()), '')
  assert.equal(hub.size, 0)
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

test('U22: an upgrade while draining is 503', async (t) => {
  const app = await startApp(t)
  const { opened, open } = latch()
  await app.tasks.add(() => opened)
  const closed = app.close(5_000)
  assert.equal(await statusOf(app.url, handshake()), 503)
  open()
  assert.equal(await closed, true)
})

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
  await from('203.0.113.2', as('bob'))
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
