// Who tries to get in: strangers, pages of another origin, and users who take more than their share.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { signJwt } from '../../lib/jwt.ts'
import { request } from '../exchanges.ts'
import { handshake } from '../handshake.ts'
import { connectSocket, connectTcp, exchange, type Scope, until } from '../helpers.ts'
import { ADMIN, as, inSeconds, SECRET, tokenOf } from '../tokens.ts'
import { checkExchange } from './exchanges.ts'
import { faultTest } from './fault.ts'

const GUARDED = { AUTH_SECRET: SECRET }
const { authorization: ALICE } = as('alice')

const bearer = (token: string) => handshake({ Authorization: `Bearer ${token}` })
const asking = (query: string) => handshake({}, `GET /ws?${query} HTTP/1.1`)
const offering = (token: string) =>
  handshake({ 'Sec-WebSocket-Protocol': `meanwhile.v1, bearer.${token}` })

const strangers: [what: string, bytes: string][] = [
  ['A1: no token', handshake()],
  ['A1: a wrong token', bearer('x.y.z')],
  ['A1: the token of another secret', bearer(signJwt({ sub: 'alice', exp: inSeconds(60) }, 'x'))],
  ['A1: an expired token', bearer(tokenOf('alice', { exp: inSeconds(-1) }))],
  ['A1: a token that is not valid yet', bearer(tokenOf('alice', { nbf: inSeconds(60) }))],
  ['A1: a token of nobody', bearer(tokenOf(undefined))],
  ['A1: a user who only says so', asking('user=alice')],
  ['A1: a wrong token as a subprotocol', offering('x')],
  ['A1: an expired one as a subprotocol', offering(tokenOf('alice', { exp: inSeconds(-1) }))],
  ['A1: a wrong token in the query', asking('token=x')],
  ['A1: a wrong ticket', asking('ticket=x')],
  ['A1: a token as a ticket', asking(`ticket=${tokenOf('alice')}`)],
  ['A3: two headers with a token', handshake({ Authorization: ALICE, authorization: ALICE })],
  [
    'A3: a token in the header and one in the query',
    handshake({ Authorization: ALICE }, `GET /ws?token=${tokenOf('alice')} HTTP/1.1`),
  ],
  ['A6: a cookie', handshake({ Cookie: `token=${tokenOf('alice')}` })],
]

for (const [what, bytes] of strangers) {
  faultTest(
    `${what}: 401, before any 101`,
    async (fault) => {
      const answer = await checkExchange(fault, bytes, 401)
      assert.match(answer, /^www-authenticate: Bearer/im)
      assert.equal(fault.hub.size, 0)
    },
    { env: GUARDED },
  )
}

// On a server that has one foreign origin besides its own. Who comes has a token.
const origins: [what: string, lines: Record<string, string>, status: number][] = [
  ['A4: a foreign Origin', { Origin: 'https://evil.example' }, 403],
  ['A4: the one that is allowed', { Origin: 'https://app.example.com' }, 101],
  ['A5: the Origin null', { Origin: 'null' }, 403],
  ['A5: an empty Origin', { Origin: '' }, 403],
  ['A5: one that only begins like ours', { Origin: 'http://localhost.evil' }, 403],
  ['A5: one that only begins like it', { Origin: 'https://app.example.com.evil' }, 403],
  ['A5: one that only ends like it', { Origin: 'https://evilapp.example.com' }, 403],
  ['A5: http in place of https', { Origin: 'http://app.example.com' }, 403],
  ['A5: another port', { Origin: 'https://app.example.com:444' }, 403],
  ['A5: another port of ours', { Origin: 'http://localhost:1' }, 403],
  ['A5: capitals', { Origin: 'https://APP.example.com' }, 403],
  ['A5: capitals in ours', { Origin: 'http://LOCALHOST' }, 403],
  ['A5: a slash behind it', { Origin: 'https://app.example.com/' }, 403],
  ['A5: a user in it', { Origin: 'https://x@app.example.com' }, 403],
  ['A6: no Origin', {}, 101],
  ['A6: no Origin, from another site', { 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['A7: two Origins', { Origin: 'http://localhost', origin: 'http://localhost' }, 403],
  ['A7: ours and a foreign one', { Origin: 'http://localhost', origin: 'http://evil' }, 403],
  ['A7: a foreign one and ours', { Origin: 'http://evil', origin: 'http://localhost' }, 403],
  ['A7: two in one', { Origin: 'http://localhost, http://evil' }, 403],
]

for (const [what, lines, status] of origins) {
  faultTest(
    `${what}: ${status}`,
    async (fault) => {
      const bytes = handshake({ Authorization: ALICE, ...lines })
      if (status === 403) await checkExchange(fault, bytes, status)
      else assert.equal((await shakeHands(fault.scope, fault.url, bytes)).status, status)
    },
    { env: { ...GUARDED, ALLOWED_ORIGINS: 'https://app.example.com' } },
  )
}

/** Leaves the connection open. */
async function shakeHands(scope: Scope, url: string, bytes: string) {
  const socket = connectTcp(url)
  scope.after(() => socket.destroy())
  socket.write(bytes)
  const [answer] = await once(socket, 'data')
  return { socket, answer: String(answer), status: Number(String(answer).split(' ')[1]) }
}

// — one user’s share —

const MANY = { MAX_CONNECTIONS: '40', TRUST_PROXY: '127.0.0.1' } // 10 of one user

/** The lines of a handshake from an address of its own. */
const forwarded = (n: number) => ({ 'X-Forwarded-For': `10.0.${n >> 8}.${n & 255}` })

faultTest(
  'A11: of 1,000 sockets of one user, from as many addresses, a quarter of MAX_CONNECTIONS gets in',
  async ({ url, hub, scope }) => {
    const comeAs = (user: string, n: number, claims = {}) =>
      shakeHands(
        scope,
        url,
        handshake({ ...forwarded(n), Authorization: as(user, claims).authorization }),
      )
    const open = []
    for (let n = 0; n < 1_000; n += 50) {
      const some = Array.from({ length: 50 }, (_, i) => comeAs('alice', n + i))
      for (const { socket, answer, status } of await Promise.all(some)) {
        if (status === 101) open.push(socket)
        else assert.match(answer, /^HTTP\/1.1 429 [\s\S]*retry-after: 1\r[\s\S]*of this user/i)
      }
    }
    assert.deepEqual([open.length, hub.size], [10, 10])
    assert.equal((await comeAs('alice', 1, ADMIN)).status, 429)

    for (let n = 0; n < 10; n++) assert.equal((await comeAs('bob', n)).status, 101)
    open[0]!.destroy()
    await until(() => hub.size === 19)
    assert.equal((await comeAs('alice', 1)).status, 101)
  },
  { env: { ...GUARDED, ...MANY } },
)

faultTest(
  'A11: who has too many is 429 and keeps the ticket',
  async ({ url, hub, scope }) => {
    const first = await connectSocket(scope, url, { headers: as('alice') })
    const reply = await exchange(url, request('POST /ticket HTTP/1.1', `Authorization: ${ALICE}`))
    const [, ticket] = /"ticket":"(.*)"/.exec(reply)!
    const again = () => connectSocket(scope, url, { query: `ticket=${ticket}` })

    await assert.rejects(again, (status) => status === 429)
    await assert.rejects(again, (status) => status === 429)
    first.socket.close()
    await until(() => hub.size === 0)
    await again()
    await assert.rejects(again, (status) => status === 401)
  },
  { env: { ...GUARDED, MAX_CONNECTIONS: '3' } }, // a quarter is one at least
)

faultTest(
  'A11: on an open server, where a name costs nothing, only the address counts',
  async ({ url, hub, scope }) => {
    const bytes = handshake({}, 'GET /ws?user=alice HTTP/1.1')
    for (let n = 0; n < 20; n++) {
      assert.equal((await shakeHands(scope, url, bytes)).status, 101)
    }
    assert.equal((await shakeHands(scope, url, bytes)).status, 429)
    assert.equal(hub.size, 20)
  },
  { env: { MAX_CONNECTIONS: '40', MAX_CONNECTIONS_PER_ADDRESS: '20' } },
)
