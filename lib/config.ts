// Every setting, in one place: its variable, its default, and what it must be.
// All are checked once, at the start; the rest of the code trusts them.

import { type BlockList, isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { addressSet, isLoopback } from './address.ts'
import { LEVELS, type Level } from './log.ts'

/** Thrown by `readSettings`. Its message names the variable, what was expected and what came. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

interface Setting<T> {
  readonly variable: string
  readonly default: string
  /** Throws a plain Error that says what was expected. `isOpen`: there is no `AUTH_SECRET`. */
  readonly parse: (text: string, isOpen: boolean) => T
  /** Its value is in no message. */
  readonly isSecret?: boolean
}

/** With `TASKS_URL`, what a process does: takes requests, does tasks, or both. */
export type Role = (typeof ROLES)[number]
const ROLES = ['all', 'web', 'worker'] as const

/** The README's table is held against this one. Times are in seconds here, as in the environment. */
export const SETTINGS = {
  host: setting('HOST', '127.0.0.1', host),
  port: setting('PORT', '8000', whole(0, 65_535)),
  workFile: setting('WORK_FILE', 'log.txt', (text) => text),
  logLevel: setting('LOG_LEVEL', 'info', level),
  journal: setting('JOURNAL', 'data/tasks.journal', (text) =>
    /^off$/i.test(text) ? undefined : text,
  ),
  concurrency: setting('CONCURRENCY', '8', whole(1, 10_000)),
  capacity: setting('CAPACITY', '10000', whole(1, 10_000_000)),
  keep: setting('KEEP', '1000', whole(0, 100_000)),
  threads: setting('THREADS', 'auto', threads),
  blockedMs: setting('BLOCKED_MS', '50', whole(1, 60_000)),
  workSeconds: setting('WORK_SECONDS', '5', seconds(0)),
  notifySeconds: setting('NOTIFY_SECONDS', '2', seconds(0)),
  maxBody: setting('MAX_BODY', '65536', whole(1, 16_777_216)),
  drainSeconds: setting('DRAIN_SECONDS', '25', seconds(0.001)),
  maxConnections: setting('MAX_CONNECTIONS', '1000', whole(1, 1_000_000)),
  maxConnectionsPerAddress: setting('MAX_CONNECTIONS_PER_ADDRESS', '50', whole(1, 1_000_000)),
  maxTopics: setting('MAX_TOPICS', '50', whole(1, 10_000)),
  maxRooms: setting('MAX_ROOMS', '10000', whole(1, 1_000_000)),
  maxUnsent: setting('MAX_UNSENT', '1048576', whole(65_536, 1_073_741_824)),
  messageRate: setting('MESSAGE_RATE', '20', whole(1, 1_000_000)),
  messageBurst: setting('MESSAGE_BURST', '40', whole(1, 1_000_000)),
  history: setting('HISTORY', '100', whole(0, 10_000)),
  heartbeatSeconds: setting('HEARTBEAT_SECONDS', '25', seconds(0.001)),
  authSecret: { ...setting('AUTH_SECRET', '', secret), isSecret: true },
  allowedHosts: setting('ALLOWED_HOSTS', 'localhost,127.0.0.1,[::1]', list(hostName)),
  allowedOrigins: setting('ALLOWED_ORIGINS', '', list(origin)),
  trustProxy: setting('TRUST_PROXY', '', proxies),
  busUrl: { ...setting('BUS_URL', '', broker('redis', 'rediss', 'amqp', 'amqps')), isSecret: true },
  tasksUrl: { ...setting('TASKS_URL', '', broker('redis', 'rediss')), isSecret: true },
  role: setting('ROLE', 'all', role),
  lockSeconds: setting('LOCK_SECONDS', '30', seconds(0.1)),
}

export type Settings = {
  readonly [K in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[K]['parse']>
}

/** Reads and checks all settings. A variable that is empty counts as not set, but for the secret. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const isOpen = !env.AUTH_SECRET
  const entries = Object.entries<Setting<unknown>>(SETTINGS).map(([key, one]) => [
    key,
    read(one, env, isOpen),
  ])
  const settings: Settings = Object.fromEntries(entries)
  if (settings.role === 'all' || settings.tasksUrl !== undefined) return settings
  throw new SettingsError(`ROLE must be all without TASKS_URL, got "${settings.role}"`)
}

/** `AUTH_SECRET` alone. Undefined if it is not set. */
export function readSecret(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return read(SETTINGS.authSecret, env, false)
}

function read<T>(one: Setting<T>, env: NodeJS.ProcessEnv, isOpen: boolean): T {
  const { variable, default: fallback, parse, isSecret = false } = one
  const text = env[variable] || fallback
  try {
    if (one === SETTINGS.authSecret && env[variable] === '') expected('at least 32 bytes')
    return parse(text, isOpen)
  } catch (cause) {
    const { message } = cause as Error
    const came = isSecret ? `${Buffer.byteLength(text)} bytes` : JSON.stringify(text)
    throw new SettingsError(`${variable} must be ${message}, got ${came}`, { cause })
  }
}

function setting<T>(variable: string, fallback: string, parse: Setting<T>['parse']): Setting<T> {
  return { variable, default: fallback, parse }
}

function expected(what: string): never {
  throw new Error(what)
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    return expected(`a whole number from ${least} to ${most}`)
  }
}

// A day at most: beyond 24.8 days `setTimeout` fires at once.
function seconds(least: number) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d+(\.\d+)?$/.test(text) && value >= least && value <= 86_400) return value
    return expected(`a number of seconds from ${least} to 86400`)
  }
}

function threads(text: string): number {
  if (text === 'auto') return Math.max(1, availableParallelism() - 1)
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= 1 && value <= 256) return value
  return expected('a whole number from 1 to 256, or auto: one less than there are cores')
}

function level(text: string): Level {
  return LEVELS.find((known) => known === text) ?? expected(`one of ${LEVELS.join(', ')}`)
}

function role(text: string): Role {
  return ROLES.find((known) => known === text) ?? expected(`one of ${ROLES.join(', ')}`)
}

function list(parse: Setting<string>['parse']) {
  return (text: string, isOpen: boolean): readonly string[] =>
    split(text).map((entry) => parse(entry, isOpen))
}

function split(text: string): string[] {
  return text.split(',').flatMap((entry) => entry.trim() || [])
}

function proxies(text: string): BlockList {
  try {
    return addressSet(split(text))
  } catch {
    return expected('addresses and networks such as 10.0.0.1, 10.0.0.0/8, fd00::/8')
  }
}

// Its password is in no message, nor is anything else of it.
function broker(...schemes: readonly string[]) {
  return (text: string): string | undefined => {
    if (text === '') return undefined
    const scheme = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : ''
    if (schemes.includes(scheme)) return text
    return expected(`a URL that begins with ${schemes.map((name) => `${name}://`).join(' or ')}`)
  }
}

// As many bytes as the signature has (RFC 7518 §3.2).
function secret(text: string): string | undefined {
  if (text === '') return undefined
  return Buffer.byteLength(text) >= 32 ? text : expected('at least 32 bytes')
}

// An open server takes everybody for whom they say. So nobody beyond this machine may reach it.

function host(text: string, isOpen: boolean): string {
  if (text === 'localhost' || isLoopback(text)) return text
  if (isOpen) {
    return expected('a loopback address, since this server is open to whoever reaches it')
  }
  return isIP(text) || /^[a-z0-9][a-z0-9.-]*$/i.test(text)
    ? text
    : expected('an address or a host name')
}

function hostName(text: string, isOpen: boolean): string {
  const name = /^(?<name>[a-z0-9.-]+|\[[0-9a-f:]+\])(:\d{1,5})?$/i.exec(text)?.groups?.name ?? ''
  if (isOpen ? isThisMachine(name.toLowerCase()) : name) return text
  if (isOpen) return expected('loopback names, since this server is open to whoever reaches it')
  return expected('names such as example.com or example.com:8443')
}

function origin(text: string, isOpen: boolean): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.origin === text && (!isOpen || isThisMachine(url.hostname))) return text
  if (isOpen) return expected('origins on this machine, such as http://localhost:3000')
  return expected('origins such as https://app.example.com')
}

function isThisMachine(name: string): boolean {
  return /^([a-z0-9-]+\.)*localhost$/.test(name) || isLoopback(name.replace(/^\[(.*)\]$/, '$1'))
}
