import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { readSettings, SETTINGS, SettingsError } from '../../lib/config.ts'

test('without any variable every setting has its default', () => {
  const settings = readSettings({})
  assert.equal(settings.host, '127.0.0.1')
  assert.equal(settings.port, 8000)
  assert.equal(settings.workSeconds, 5)
  assert.deepEqual(settings.allowedHosts, ['localhost', '127.0.0.1', '[::1]'])
  assert.deepEqual(settings.allowedOrigins, [])
})

test('an empty variable counts as not set', () => {
  assert.equal(readSettings({ PORT: '' }).port, 8000)
})

const good: [
  variable: string,
  value: string,
  read: (settings: never) => unknown,
  expected: unknown,
][] = [
  ['PORT', '0', ({ port }) => port, 0],
  ['WORK_SECONDS', '0', ({ workSeconds }) => workSeconds, 0],
  ['NOTIFY_SECONDS', '0.25', ({ notifySeconds }) => notifySeconds, 0.25],
  ['HOST', '::1', ({ host }) => host, '::1'],
  ['HOST', '127.0.0.2', ({ host }) => host, '127.0.0.2'],
  ['JOURNAL', 'off', ({ journal }) => journal, undefined],
  ['JOURNAL', '/var/lib/x.journal', ({ journal }) => journal, '/var/lib/x.journal'],
  ['THREADS', '3', ({ threads }) => threads, 3],
  ['THREADS', 'auto', ({ threads }) => threads >= 1, true],
  ['HISTORY', '0', ({ history }) => history, 0],
  ['HISTORY', '10000', ({ history }) => history, 10_000],
  ['BLOCKED_MS', '1', ({ blockedMs }) => blockedMs, 1],
  ['LOG_LEVEL', 'silent', ({ logLevel }) => logLevel, 'silent'],
  [
    'ALLOWED_HOSTS',
    'localhost:3000, app.localhost',
    (s: { allowedHosts: unknown }) => s.allowedHosts,
    ['localhost:3000', 'app.localhost'],
  ],
  [
    'ALLOWED_ORIGINS',
    'http://localhost:3000',
    (s: { allowedOrigins: unknown }) => s.allowedOrigins,
    ['http://localhost:3000'],
  ],
]

for (const [variable, value, read, expected] of good) {
  test(`${variable}=${value} is taken`, () => {
    assert.deepEqual(read(readSettings({ [variable]: value }) as never), expected)
  })
}

const bad: [variable: string, value: string][] = [
  ['PORT', 'abc'],
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '1e3'],
  ['CONCURRENCY', '0'],
  ['CAPACITY', 'NaN'],
  ['KEEP', '1.5'],
  ['THREADS', '0'],
  ['THREADS', 'many'],
  ['BLOCKED_MS', '0'],
  ['HISTORY', '-1'],
  ['HISTORY', '10001'],
  ['WORK_SECONDS', 'Infinity'],
  ['WORK_SECONDS', '86401'],
  ['DRAIN_SECONDS', '0'],
  ['HEARTBEAT_SECONDS', '-1'],
  ['LOG_LEVEL', 'loud'],
  ['HOST', '0.0.0.0'],
  ['HOST', 'example.com'],
  ['HOST', '::'],
  ['ALLOWED_HOSTS', 'example.com'],
  ['ALLOWED_HOSTS', 'localhost.example.com'],
  ['ALLOWED_HOSTS', '10.0.0.1'],
  ['ALLOWED_ORIGINS', 'https://example.com'],
  ['ALLOWED_ORIGINS', 'localhost:3000'],
  ['ALLOWED_ORIGINS', 'http://localhost:3000/'],
  ['TRUST_PROXY', 'example.com'],
  ['TRUST_PROXY', '10.0.0.0/33'],
]

for (const [variable, value] of bad) {
  test(`X16: ${variable}=${value} is refused, with its name, what was expected and what came`, () => {
    assert.throws(
      () => readSettings({ [variable]: value }),
      (error) => {
        assert.ok(error instanceof SettingsError)
        assert.match(error.message, new RegExp(`^${variable} must be .+, got "`))
        assert.ok(error.message.endsWith(`got ${JSON.stringify(value)}`))
        return true
      },
    )
  })
}

const SECRET = 'x'.repeat(32)

test('a secret has at least 32 bytes, and none is none', () => {
  assert.equal(readSettings({}).authSecret, undefined)
  for (const secret of [SECRET, 'ü'.repeat(16)]) {
    assert.equal(readSettings({ AUTH_SECRET: secret }).authSecret, secret)
  }
})

test('X16: a secret that is empty is refused: somebody meant to have one', () => {
  assert.throws(() => readSettings({ AUTH_SECRET: '' }), /AUTH_SECRET must be .*, got 0 bytes/)
})

for (const secret of ['hunter2', 'x'.repeat(31), 'ü'.repeat(15)]) {
  test(`X16: a secret of ${Buffer.byteLength(secret)} bytes is refused, and shown to nobody`, () => {
    assert.throws(
      () => readSettings({ AUTH_SECRET: secret }),
      (error) => {
        assert.ok(error instanceof SettingsError)
        const bytes = Buffer.byteLength(secret)
        assert.equal(error.message, `AUTH_SECRET must be at least 32 bytes, got ${bytes} bytes`)
        assert.ok(!inspect(error, { depth: 9 }).includes(secret))
        return true
      },
    )
  })
}

const guarded: [variable: string, value: string][] = [
  ['HOST', '0.0.0.0'],
  ['HOST', '::'],
  ['HOST', 'example.com'],
  ['HOST', 'localhost'],
  ['ALLOWED_HOSTS', 'example.com,app.example.com:8443,[2001:db8::1]'],
  ['ALLOWED_ORIGINS', 'https://app.example.com,http://localhost:3000'],
]

for (const [variable, value] of guarded) {
  test(`with a secret ${variable}=${value} is taken, without one it may not be`, () => {
    const settings = readSettings({ AUTH_SECRET: SECRET, [variable]: value })
    const { host, allowedHosts, allowedOrigins } = settings
    const all: Record<string, unknown> = { HOST: host }
    all.ALLOWED_HOSTS = allowedHosts.join()
    all.ALLOWED_ORIGINS = allowedOrigins.join()
    assert.equal(all[variable], value)
    if (value === 'localhost') readSettings({ [variable]: value })
    else assert.throws(() => readSettings({ [variable]: value }), /this machine|is open/)
  })
}

const malformed: [variable: string, value: string][] = [
  ['HOST', 'a b'],
  ['HOST', 'example.com:80'],
  ['HOST', 'http://example.com'],
  ['ALLOWED_HOSTS', 'https://example.com'],
  ['ALLOWED_HOSTS', '*.example.com'],
  ['ALLOWED_HOSTS', '2001:db8::1'],
  ['ALLOWED_ORIGINS', 'example.com'],
  ['ALLOWED_ORIGINS', 'https://example.com/'],
  ['ALLOWED_ORIGINS', 'https://EXAMPLE.com'],
  ['ALLOWED_ORIGINS', 'null'],
  ['ALLOWED_ORIGINS', '*'],
]

for (const [variable, value] of malformed) {
  test(`X16: also with a secret ${variable}=${value} is refused, since it is malformed`, () => {
    const read = () => readSettings({ AUTH_SECRET: SECRET, [variable]: value })
    const escaped = value.replace(/[.*]/g, '\\$&')
    assert.throws(read, new RegExp(`^SettingsError: ${variable} must be .+, got "${escaped}"$`))
  })
}

test('no two settings share a variable', () => {
  const variables = Object.values(SETTINGS).map(({ variable }) => variable)
  assert.equal(new Set(variables).size, variables.length)
})
