import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { jwtVerify, SignJWT } from 'jose'
import { signJwt, verifyJwt } from '../../lib/jwt.ts'
import { inSeconds, SECRET } from '../secret.ts'

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Signed with the secret, whatever it says. */
function signed(header: unknown, claims: unknown): string {
  const input = `${encode(header)}.${encode(claims)}`
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`
}

const HEADER = { alg: 'HS256', typ: 'JWT' }
const CLAIMS = { sub: 'alice', exp: Math.ceil(inSeconds(3_600)) }
const TOKEN = signed(HEADER, CLAIMS)
const [header, payload, signature] = TOKEN.split('.') as [string, string, string]

test('a token that was signed here is accepted here, with its claims', () => {
  assert.deepEqual(verifyJwt(signJwt(CLAIMS, SECRET), SECRET), CLAIMS)
  assert.equal(signJwt(CLAIMS, SECRET), TOKEN)
})

test('the signature is that of RFC 7515, appendix A.1', () => {
  const key = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  )
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.' +
    'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.' +
    'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'
  const claims = verifyJwt(token, key as never, 'JWT', 1_300_819_379_999)
  assert.deepEqual(claims, { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true })
  assert.equal(verifyJwt(token, key as never, 'JWT', 1_300_819_380_000), undefined)
})

test('another implementation accepts the tokens made here, and the other way round', async () => {
  const key = new TextEncoder().encode(SECRET)
  const { payload, protectedHeader } = await jwtVerify(TOKEN, key, { algorithms: ['HS256'] })
  assert.deepEqual([payload, protectedHeader], [CLAIMS, HEADER])

  for (const more of [{}, { typ: 'JWT' }]) {
    const theirs = new SignJWT({ admin: true }).setProtectedHeader({ alg: 'HS256', ...more })
    const token = await theirs
      .setSubject('bob')
      .setNotBefore('-1s')
      .setExpirationTime('1h')
      .sign(key)
    const claims = verifyJwt(token, SECRET)
    assert.deepEqual([claims?.sub, claims?.admin], ['bob', true])
  }
})

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const rs256 = `${encode({ alg: 'RS256' })}.${payload}`

/** The same 256 bits in the other spellings that a lenient decoder takes. */
const respelled = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
  .map((last) => signature.slice(0, -1) + last)
  .filter((text) => text !== signature)
  .find((text) => Buffer.from(text, 'base64url').equals(Buffer.from(signature, 'base64url')))!

const refused: [what: string, token: string][] = [
  ['nothing', ''],
  ['one dot', '.'],
  ['two dots', '..'],
  ['two parts', `${header}.${payload}`],
  ['four parts', `${TOKEN}.`],
  ['five parts', `${TOKEN}.x.x`],
  ['no JSON', signed('{', '{')],
  ['A2: no signature', `${header}.${payload}.`],
  ['A2: the signature of another secret', signJwt(CLAIMS, `${SECRET}!`)],
  ['A2: a shorter signature', TOKEN.slice(0, -1)],
  ['A2: a longer signature', `${TOKEN}A`],
  ['a padded signature', `${TOKEN}=`],
  ['a signature with a space', `${header}.${payload}. ${signature}`],
  ['another spelling of the signature', `${header}.${payload}.${respelled}`],
  ['a signature as base64', `${header}.${payload}.${signature.replace(/[-_]|.$/g, '/')}`],
  ['A2: a signature that is no ASCII', `${header}.${payload}.${'ü'.repeat(43)}`],
  ['A2: a signature of as many bytes', `${header}.${payload}.${'ü'.repeat(21)}x`],
  ['other claims under it', `${header}.${encode({ ...CLAIMS, sub: 'bob' })}.${signature}`],
  ['another header over it', `${encode({ alg: 'HS256' })}.${payload}.${signature}`],
  ['A3: alg none', `${encode({ alg: 'none' })}.${payload}.`],
  ['A3: alg none, signed', signed({ alg: 'none' }, CLAIMS)],
  ['A3: alg hs256', signed({ alg: 'hs256' }, CLAIMS)],
  ['A3: alg HS512', signed({ alg: 'HS512' }, CLAIMS)],
  [
    'A3: alg RS256',
    `${rs256}.${sign('sha256', Buffer.from(rs256), privateKey).toString('base64url')}`,
  ],
  ['A3: alg RS256, signed with the secret', signed({ alg: 'RS256' }, CLAIMS)],
  ['A3: no alg', signed({ typ: 'JWT' }, CLAIMS)],
  ['A3: a list of algs', signed({ alg: ['HS256'] }, CLAIMS)],
  ['what is crit', signed({ ...HEADER, crit: ['b64'], b64: false }, CLAIMS)],
  ['an empty crit', signed({ ...HEADER, crit: [] }, CLAIMS)],
  ['another typ', signed({ ...HEADER, typ: 'ticket+jwt' }, CLAIMS)],
  ['a typ that is null', signed({ ...HEADER, typ: null }, CLAIMS)],
  ['a header that is null', signed(null, CLAIMS)],
  ['a header that is a list', signed([HEADER], CLAIMS)],
  ['a header that is a text', signed('"HS256"', CLAIMS)],
  ['claims that are null', signed(HEADER, null)],
  ['claims that are a list', signed(HEADER, [CLAIMS])],
  ['claims that are no JSON', signed(HEADER, '{"exp":')],
  ['no exp', signed(HEADER, { sub: 'alice' })],
  ['an exp that is over', signed(HEADER, { exp: inSeconds(-0.001) })],
  ['an exp that is a text', signed(HEADER, { exp: String(CLAIMS.exp) })],
  ['an exp that is null', signed(HEADER, { exp: null })],
  ['an exp beyond all numbers', signed(HEADER, '{"exp":1e999}')],
  ['an exp beyond all dates', signed(HEADER, '{"exp":1e300}')],
  ['an nbf to come', signed(HEADER, { ...CLAIMS, nbf: inSeconds(60) })],
  ['an nbf that is a text', signed(HEADER, { ...CLAIMS, nbf: '0' })],
  ['an nbf that is null', signed(HEADER, { ...CLAIMS, nbf: null })],
]

for (const [what, token] of refused) {
  test(`${what}: no token`, () => {
    assert.equal(verifyJwt(token, SECRET), undefined)
  })
}

test('what is refused for one thing only is accepted without it', () => {
  assert.notEqual(respelled, undefined)
  assert.ok(verifyJwt(signed({ alg: 'HS256' }, CLAIMS), SECRET))
  assert.ok(verifyJwt(signed({ ...HEADER, kid: '1' }, CLAIMS), SECRET))
  assert.ok(verifyJwt(signed(HEADER, { ...CLAIMS, nbf: inSeconds(-0.001) }), SECRET))
})

test('a type of its own passes for no other', () => {
  const ticket = signJwt(CLAIMS, SECRET, 'ticket+jwt')
  assert.ok(verifyJwt(ticket, SECRET, 'ticket+jwt'))
  assert.equal(verifyJwt(ticket, SECRET), undefined)
  assert.equal(verifyJwt(TOKEN, SECRET, 'ticket+jwt'), undefined)
  assert.equal(verifyJwt(signed({ alg: 'HS256' }, CLAIMS), SECRET, 'ticket+jwt'), undefined)
})

test('nothing that is cut off or changed at any place is a token, or throws', () => {
  for (let at = 0; at < TOKEN.length; at++) {
    assert.equal(verifyJwt(TOKEN.slice(0, at), SECRET), undefined)
    for (const other of ['A', 'B', '.', '\u0000', '\ud800']) {
      const changed = TOKEN.slice(0, at) + other + TOKEN.slice(at + 1)
      if (changed !== TOKEN) assert.equal(verifyJwt(changed, SECRET), undefined)
    }
  }
})

test('X12: expiry follows the wall clock, in both directions', () => {
  const token = signJwt({ exp: 1_000, nbf: 500 }, SECRET)
  const at = (seconds: number) => verifyJwt(token, SECRET, 'JWT', seconds * 1_000) !== undefined
  assert.deepEqual([499.9, 500, 999.9, 1_000, 4_600, 999].map(at), [
    false,
    true,
    true,
    false,
    false,
    true,
  ])
})
