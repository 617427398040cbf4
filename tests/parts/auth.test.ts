import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Auth } from '../../lib/auth.ts'
import { signJwt, verifyJwt } from '../../lib/jwt.ts'
import { TICKET, Tickets } from '../../lib/ticket.ts'
import { ADMIN, inSeconds, SECRET, tokenOf } from '../secret.ts'

type Head = Parameters<Auth['identify']>[0]

/** What Node makes of header lines: of two that may be there once, it keeps the first. */
function head(...lines: [name: string, value: string][]): Head {
  const headers = Object.fromEntries(lines.toReversed().map(([k, v]) => [k.toLowerCase(), v]))
  return { headers, rawHeaders: lines.flat() }
}

const bearer = (token: string) => head(['Authorization', `Bearer ${token}`])
const offering = (...names: string[]) => head(['Sec-WebSocket-Protocol', names.join(', ')])
const query = (text = '') => new URLSearchParams(text)

const auth = new Auth(SECRET)
const open = new Auth(undefined)
const alice = tokenOf('alice')
const ticket = () => auth.ticketFor(auth.identify(bearer(alice), query()))!

test('on an open server a user is whoever they say, or a guest, and may see all', () => {
  for (const identity of [
    open.identify(head(), query('user=alice')),
    open.identifySocket(head(), query('user=alice')),
    open.identify(bearer('x'), query('user=alice&token=y')),
  ]) {
    assert.deepEqual(identity, { user: 'alice', isAdmin: true, isGuest: false })
  }
  const guest = open.identify(head(), query())
  assert.match(guest.user, /^guest-[0-9a-f]{8}$/)
  assert.deepEqual([guest.isAdmin, guest.isGuest], [true, true])
  assert.throws(() => open.identify(head(), query('user=a b')), { status: 422 })
  assert.throws(() => open.identifySocket(head(), query('user=')), { status: 422 })
  assert.deepEqual([open.isOpen, auth.isOpen], [true, false])
  assert.equal(open.ticketFor(guest), undefined)
})

const ways: [what: string, head: Head, query: string][] = [
  ['a header', bearer(alice), ''],
  ['a header in capitals', head(['AUTHORIZATION', `BEARER ${alice}`]), ''],
  ['a header with a wide gap', head(['authorization', `bearer   ${alice}`]), ''],
  ['the query', head(), `token=${alice}`],
  ['the query, beside another user', head(), `user=bob&token=${alice}`],
  ['the query, beside another scheme', head(['Authorization', 'Basic eDp5']), `token=${alice}`],
]

for (const [what, from, text] of ways) {
  test(`a token comes in ${what}, for requests and for sockets`, () => {
    for (const identity of [
      auth.identify(from, query(text)),
      auth.identifySocket(from, query(text)),
    ]) {
      const { user, isAdmin, isGuest, expires } = identity
      assert.deepEqual([user, isAdmin, isGuest], ['alice', false, false])
      assert.ok(expires! > Date.now() && expires! <= Date.now() + 60_000)
    }
  })
}

test('a token may be offered as a subprotocol, but only for a socket', () => {
  const offer = offering('meanwhile.v1', `bearer.${alice}`)
  assert.equal(auth.identifySocket(offer, query()).user, 'alice')
  assert.throws(() => auth.identify(offer, query()), { status: 401 })
})

test('an admin is whose token says so, with true and nothing like it', () => {
  const isAdmin = (admin: unknown) =>
    auth.identify(bearer(tokenOf('root', { admin })), query()).isAdmin
  assert.deepEqual([true, false, 'true', 1, null, {}].map(isAdmin), [
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

const none: [what: string, head: Head, query: string][] = [
  ['nothing', head(), ''],
  ['another scheme', head(['Authorization', 'Basic eDp5']), ''],
  ['a scheme that only begins like it', head(['Authorization', `Bearers ${alice}`]), ''],
  ['a user', head(), 'user=alice'],
  ['no token among the subprotocols', offering('meanwhile.v1'), ''],
]

const wrong: [what: string, head: Head, query: string][] = [
  [
    'two headers',
    head(['Authorization', `Bearer ${alice}`], ['authorization', `Bearer ${alice}`]),
    '',
  ],
  [
    'two headers, one of another scheme',
    head(['Authorization', `Bearer ${alice}`], ['authorization', 'Basic x']),
    '',
  ],
  ['a header and the query', bearer(alice), `token=${alice}`],
  ['two in the query', head(), `token=${alice}&token=${alice}`],
  ['two offered', offering('meanwhile.v1', `bearer.${alice}`, `bearer.${alice}x`), ''],
  [
    'a header and an offer',
    head(['Authorization', `Bearer ${alice}`], ['Sec-WebSocket-Protocol', `bearer.${alice}`]),
    '',
  ],
  ['no token in the header', head(['Authorization', 'Bearer']), ''],
  ['no token in the query', head(), 'token='],
  ['no token in the offer', offering('meanwhile.v1', 'bearer.'), ''],
  ['a token with a blank', bearer(`${alice} x`), ''],
  ['garbage', bearer('garbage'), ''],
  ['a token that has expired', bearer(tokenOf('alice', { exp: inSeconds(-1) })), ''],
  ['a token that is not valid yet', bearer(tokenOf('alice', { nbf: inSeconds(60) })), ''],
  [
    'the token of another secret',
    bearer(signJwt({ sub: 'alice', exp: inSeconds(60) }, `${SECRET}!`)),
    '',
  ],
  ['a token of nobody', bearer(tokenOf(undefined)), ''],
  ['a sub that is no name', bearer(tokenOf('a b')), ''],
  ['a sub that is no text', bearer(tokenOf(7)), ''],
  ['a sub that is too long', bearer(tokenOf('x'.repeat(65))), ''],
  ['a ticket as a token', bearer(ticket()), ''],
  ['a token as a ticket', head(), `ticket=${alice}`],
  ['a ticket and a token', bearer(alice), `ticket=${ticket()}`],
  ['two tickets', head(), `ticket=${ticket()}&ticket=${ticket()}`],
  ['an empty ticket', head(), 'ticket='],
]

for (const [what, from, text, challenge] of [
  ...none.map((one) => [...one, 'Bearer'] as const),
  ...wrong.map((one) => [...one, 'Bearer error="invalid_token"'] as const),
]) {
  test(`a socket with ${what} is 401, with what is expected and nothing of the token`, () => {
    assert.throws(
      () => auth.identifySocket(from, query(text)),
      (error: Error & { status: number; headers: Record<string, string> }) => {
        assert.deepEqual([error.status, error.headers['www-authenticate']], [401, challenge])
        assert.match(error.message, /^expected /)
        assert.ok(!error.message.includes(alice.slice(0, 10)))
        assert.ok(!error.message.includes('garbage'))
        return true
      },
    )
  })
}

test('a ticket is good for one socket, and for no request', () => {
  const text = `ticket=${ticket()}`
  assert.throws(() => auth.identify(head(), query(text)), { status: 401 })
  assert.equal(auth.identifySocket(head(), query(text)).user, 'alice')
  assert.throws(() => auth.identifySocket(head(), query(text)), { status: 401 })
})

test('a ticket that was refused beside a token is not used up', () => {
  const text = `ticket=${ticket()}`
  assert.throws(() => auth.identifySocket(bearer(alice), query(text)), { status: 401 })
  assert.equal(auth.identifySocket(head(), query(text)).user, 'alice')
})

test('a ticket stands for its token: the same user, the same rights, the same end', () => {
  const identity = auth.identify(bearer(tokenOf('root', ADMIN)), query())
  const text = `ticket=${auth.ticketFor(identity)}`
  assert.deepEqual(auth.identifySocket(head(), query(text)), identity)
})

test('a ticket lasts 30 s, and never longer than its token', () => {
  const endOf = (seconds: number) => {
    const identity = auth.identify(bearer(tokenOf('alice', { exp: inSeconds(seconds) })), query())
    return verifyJwt(auth.ticketFor(identity)!, SECRET, TICKET)!.exp - inSeconds(0)
  }
  assert.ok(endOf(60) > 29 && endOf(60) <= 30)
  assert.ok(endOf(10) > 9 && endOf(10) <= 10)

  const tickets = new Tickets(SECRET)
  const late = tickets.make(auth.identify(bearer(alice), query()))
  assert.equal(tickets.redeem(late, undefined, Date.now() + 30_000), undefined)
  assert.equal(tickets.redeem(late)?.user, 'alice')
})

test('when no more used tickets can be remembered it is 503, and none is taken twice', () => {
  const tickets = new Tickets(SECRET, 2)
  const identity = auth.identify(bearer(alice), query())
  const [first, second, third] = [1, 2, 3].map(() => tickets.make(identity)) as [
    string,
    string,
    string,
  ]
  assert.ok(tickets.redeem(first))
  assert.ok(tickets.redeem(second))
  assert.throws(() => tickets.redeem(third), { status: 503, headers: { 'retry-after': '1' } })
  assert.equal(tickets.redeem(first), undefined)
  assert.equal(tickets.redeem(second), undefined)

  // Those that have expired make room.
  const until = Date.now() + 30_001
  const later = signJwt(
    { sub: 'alice', jti: 'later', exp: until / 1_000 + 30, until: until / 1_000 + 60 },
    SECRET,
    TICKET,
  )
  assert.equal(tickets.redeem(later, undefined, until)?.user, 'alice')
  assert.equal(tickets.redeem(later, undefined, until), undefined)
})
