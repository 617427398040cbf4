// Two web processes and a worker on this machine, to try what several servers do: `npm run cluster`. Redis
// is the one of TASKS_URL or BUS_URL; without, one is started for as long as this runs, and keeps nothing.
// Kill any of them: it is started again.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSettings } from '../lib/config.ts'
import { describeError } from '../lib/errors.ts'
import { isObject } from '../lib/json.ts'
import { isMain } from '../lib/process.ts'

interface Member {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
}

interface Redis {
  readonly url: string
  stop(): Promise<void>
}

const SERVER = join(import.meta.dirname, '..', 'server.ts')
const AGAIN = 1_000 // milliseconds until what has ended is started again
const OPTIONS = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']

/** Ends when it is told to. Rejects if there is no Redis, or a setting is wrong. */
async function runCluster(): Promise<void> {
  const { port } = readSettings({ ...process.env, ROLE: 'all' })
  const redis = await findRedis()
  const shared = { TASKS_URL: redis.url, BUS_URL: redis.url, JOURNAL: 'off', ...given() }
  const portOf = (n: number) => String(port === 0 ? 0 : port + n)
  const members: Member[] = [
    { name: 'web 1', env: { ...shared, ROLE: 'web', PORT: portOf(0) } },
    { name: 'web 2', env: { ...shared, ROLE: 'web', PORT: portOf(1) } },
    { name: 'worker', env: { ...shared, ROLE: 'worker', PORT: '0' } },
  ]
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => stopping.abort())
  await Promise.all(members.map((member) => keepAlive(member, stopping.signal)))
  await redis.stop()
}

// Both, or the one of them that was given; RabbitMQ can be the bus alone.
function given(): NodeJS.ProcessEnv {
  const { TASKS_URL, BUS_URL } = process.env
  return { ...(TASKS_URL && { TASKS_URL }), ...(BUS_URL && { BUS_URL }) }
}

async function findRedis(): Promise<Redis> {
  const { TASKS_URL, BUS_URL } = process.env
  const url = TASKS_URL || (BUS_URL?.startsWith('redis') ? BUS_URL : undefined)
  if (url) return { url, stop: async () => {} }
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'meanwhile-redis-'))
  const args = ['--port', String(port), '--dir', folder, ...OPTIONS]
  // A group of its own, so that Ctrl-C ends it last.
  const child = spawn('redis-server', args, { stdio: 'ignore', detached: true })
  const exited = once(child, 'exit')
  try {
    await once(child, 'spawn')
  } catch {
    await rm(folder, { recursive: true })
    throw new Error('there is no redis-server: install it, or set TASKS_URL to that of another')
  }
  const stop = async () => {
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  return { url: `redis://127.0.0.1:${port}`, stop }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function keepAlive({ name, env }: Member, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    const child = spawn(process.execPath, [...process.execArgv, SERVER], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true, // or Ctrl-C would tell it twice
    })
    const stop = () => child.kill('SIGTERM')
    stopped.addEventListener('abort', stop)
    showLog(name, child)
    const [code, signal] = await once(child, 'exit')
    stopped.removeEventListener('abort', stop)
    console.log(`${name}  ended (${signal ?? code})`)
    await sleep(AGAIN, undefined, { signal: stopped }).catch(() => {})
  }
}

function showLog(name: string, { stdout, pid }: ChildProcess): void {
  createInterface({ input: stdout! }).on('line', (line) => {
    const url = urlIn(line)
    console.log(url === undefined ? `${name}  ${line}` : `${name}  is at ${url}, process ${pid}`)
  })
}

// Where it listens, if the line says so.
function urlIn(line: string): unknown {
  try {
    const entry: unknown = JSON.parse(line)
    return isObject(entry) && entry.message === 'listening' ? entry.url : undefined
  } catch {
    return undefined
  }
}

if (isMain(import.meta.url)) {
  try {
    await runCluster()
  } catch (error) {
    console.error(describeError(error).message)
    process.exitCode = 1
  }
}
