import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { Auth } from '../lib/auth.ts'
import { verifyJwt } from '../lib/jwt.ts'
import { tokenFor } from '../lib/token.ts'
import { SECRET } from './secret.ts'

/** The program as `npm run token -- …` starts it. */
function run(args: string[]) {
  const program = ['--import', 'tsx', 'lib/token.ts', ...args]
  const env = { ...process.env, AUTH_SECRET: SECRET }
  const options = { cwd: join(import.meta.dirname, '..'), env }
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, program, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr })
    })
  })
}

const claimsIn = (token: string) => verifyJwt(token, SECRET)!

test('the token alone is on stdout, good for an hour, and the server takes it', async () => {
  const before = Date.now() / 1_000
  const { code, stdout, stderr } = await run(['alice'])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const { sub, admin, iat, exp } = claimsIn(stdout.trimEnd())
  assert.deepEqual([sub, admin, exp - Number(iat)], ['alice', undefined, 3_600])
  assert.ok(exp >= Math.floor(before) + 3_600)
  const query = new URLSearchParams({ token: stdout.trimEnd() })
  assert.equal(new Auth(SECRET).identify({ headers: {}, rawHeaders: [] }, query).user, 'alice')
})

for (const [ttl, seconds] of [
  ['90s', 90],
  ['30m', 1_800],
  ['2h', 7_200],
  ['7d', 604_800],
] as const) {
  test(`an admin’s token of ${ttl} is good for ${seconds} s`, () => {
    const answer = tokenFor(['--admin', '--ttl', ttl, 'ops'], { AUTH_SECRET: SECRET })
    assert.ok('token' in answer)
    const { sub, admin, iat, exp } = claimsIn(answer.token)
    assert.deepEqual([sub, admin, exp - Number(iat)], ['ops', true, seconds])
  })
}

const refused: [what: string, args: string[], env: NodeJS.ProcessEnv, message: RegExp][] = [
  [
    'no secret',
    ['alice'],
    { AUTH_SECRET: '' },
    /AUTH_SECRET must be .*32 bytes, got (none|0 bytes)/,
  ],
  [
    'a short secret',
    ['alice'],
    { AUTH_SECRET: 'hunter2' },
    /AUTH_SECRET must be .*32 bytes, got 7/,
  ],
  ['no name', [], { AUTH_SECRET: SECRET }, /expected npm run token -- NAME/],
  ['two names', ['alice', 'bob'], { AUTH_SECRET: SECRET }, /expected npm run token -- NAME/],
  ['a bad name', ['a b'], { AUTH_SECRET: SECRET }, /expected a name .*got "a b"/],
  ['an empty name', [''], { AUTH_SECRET: SECRET }, /expected a name .*got ""/],
  ['a bad ttl', ['alice', '--ttl', '1w'], { AUTH_SECRET: SECRET }, /expected a --ttl .*got "1w"/],
  ['a ttl of none', ['alice', '--ttl', '0s'], { AUTH_SECRET: SECRET }, /expected a --ttl/],
  ['a ttl without a unit', ['alice', '--ttl', '60'], { AUTH_SECRET: SECRET }, /expected a --ttl/],
  ['a ttl left out', ['alice', '--ttl'], { AUTH_SECRET: SECRET }, /--ttl/],
  ['a ttl that is an option', ['alice', '--ttl', '-1h'], { AUTH_SECRET: SECRET }, /--ttl/],
  ['an unknown option', ['alice', '--root'], { AUTH_SECRET: SECRET }, /--root/],
]

for (const [what, args, env, message] of refused) {
  test(`${what}: one line that says so, and no token`, () => {
    const answer = tokenFor(args, env)
    assert.ok('refusal' in answer)
    assert.match(answer.refusal, message)
    assert.match(answer.refusal, /^[^\n]+$/)
    for (const text of [SECRET, 'hunter2']) assert.ok(!answer.refusal.includes(text))
  })
}

test('why there is no token is alone on stderr, and the exit code is 1', async () => {
  const args = ['alice', '--ttl', '-1h'] // of which Node says more than one line
  const { code, stdout, stderr } = await run(args)
  const expected = tokenFor(args, { AUTH_SECRET: SECRET })
  assert.deepEqual([code, stdout, { refusal: stderr.trimEnd() }], [1, '', expected])
})
