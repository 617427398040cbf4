// The program behind `npm run token`: prints a token for a user, signed with AUTH_SECRET, alone on
// stdout. Whatever is wrong is one line on stderr, and exit code 1.

import { parseArgs } from 'node:util'
import { readSecret } from './config.ts'
import { describeError } from './errors.ts'
import { signJwt } from './jwt.ts'
import { isName, NAME_RULE } from './names.ts'
import { isMain } from './process.ts'

const USAGE = 'npm run token -- NAME [--admin] [--ttl 1h]'
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** What the program prints for these arguments: a token, or in one line why there is none. */
export function tokenFor(
  args: string[],
  env: NodeJS.ProcessEnv,
): { token: string } | { refusal: string } {
  try {
    return { token: makeToken(args, env) }
  } catch (error) {
    return { refusal: describeError(error).message.replaceAll('\n', ' ') }
  }
}

function makeToken(args: string[], env: NodeJS.ProcessEnv): string {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { admin: { type: 'boolean' }, ttl: { type: 'string', default: '1h' } },
  })
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { sub: nameOf(positionals), iat, exp: iat + secondsOf(values.ttl) }
  const secret = readSecret(env)
  if (secret === undefined) throw new Error('AUTH_SECRET must be at least 32 bytes, got none')
  return signJwt(values.admin ? { ...claims, admin: true } : claims, secret)
}

function nameOf([name, ...more]: string[]): string {
  if (name === undefined || more.length > 0) throw new Error(`expected ${USAGE}`)
  if (isName(name)) return name
  throw new Error(`expected a name of ${NAME_RULE}, got ${JSON.stringify(name)}`)
}

function secondsOf(text: string): number {
  const [, count, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * SECONDS[unit]!
  throw new Error(`expected a --ttl such as 90s, 30m, 1h or 7d, got ${JSON.stringify(text)}`)
}

if (isMain(import.meta.url)) {
  const answer = tokenFor(process.argv.slice(2), process.env)
  if ('token' in answer) {
    console.log(answer.token)
  } else {
    console.error(answer.refusal)
    process.exitCode = 1
  }
}
