// Real brokers for the tests, as `npm run setup` has installed them: each on free ports of the loopback,
// with a folder of its own, and gone with the test. They can be killed, stopped and started again.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts, type Scope, temporaryFolder, until } from '../basics.ts'

export interface Broker {
  /** For `BUS_URL`. */
  readonly url: string
  readonly port: number
  /** Ends it as a power failure would. */
  kill(): Promise<void>
  /** On the same port. Resolves when it takes connections. */
  start(): Promise<void>
  /** It keeps its connections, and answers nothing, until it goes on. */
  pause(): void
  goOn(): void
}

type Program = readonly [command: string, args: readonly string[], env?: NodeJS.ProcessEnv]

const setup = join(import.meta.dirname, '..', 'setup.sh')
const REDIS = programOf('redis-server')
const RABBITMQ = programOf('rabbitmq-server')
const NGINX = programOf('nginx')

// As the set-up finds it. Without it, and not in CI, this file of tests is left out.
function programOf(name: string): string {
  const path = spawnSync('bash', [setup, name], { encoding: 'utf8' }).stdout.trim()
  if (path !== '') return path
  if (process.env.CI) throw new Error(`there is no ${name}: run npm run setup`)
  console.log(`# left out: there is no ${name}, run npm run setup`)
  process.exit()
}

export async function startRedis(t: Scope, ...options: readonly string[]): Promise<Broker> {
  const dir = await temporaryFolder(t)
  const [port] = await freePorts(1)
  const listening = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir]
  const args = [...listening, '--save', '', '--databases', '1000', ...options]
  return startBroker(t, `redis://127.0.0.1:${port}`, port!, [REDIS, args])
}

export async function startRabbitMq(t: Scope): Promise<Broker> {
  const dir = await temporaryFolder(t)
  const [port, epmd, dist] = await freePorts(3)
  const config = join(dir, 'rabbitmq.conf')
  await writeFile(config, '')
  const env = {
    HOME: dir, // of the cookie
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `test-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(dist),
    RABBITMQ_MNESIA_BASE: join(dir, 'db'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  }
  // It would start one by itself, and leave it behind.
  const mapper = spawn('epmd', [], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
    detached: true,
  })
  running.add(mapper)
  mapper.once('exit', () => running.delete(mapper))
  t.after(() => mapper.kill('SIGKILL'))
  return startBroker(t, `amqp://127.0.0.1:${port}`, port!, [RABBITMQ, [], env])
}

const running = new Set<ChildProcess>()

// A test that hangs is ended like this, and would leave them behind.
process.once('SIGTERM', () => {
  for (const { pid } of running) process.kill(-pid!, 'SIGKILL')
  process.exit(1)
})

async function startBroker(t: Scope, url: string, port: number, program: Program): Promise<Broker> {
  let child: ChildProcess | undefined
  const signal = (name: NodeJS.Signals) => child?.pid && process.kill(-child.pid, name)
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    signal('SIGKILL')
    await exited
  }
  const start = async () => {
    const [command, args, env] = program
    // A group of its own: RabbitMQ is a shell, which starts the server, which starts helpers.
    child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: 'ignore',
      detached: true,
    })
    const own = child
    running.add(own)
    own.once('exit', () => running.delete(own))
    await once(own, 'spawn')
    await until(() => isListening(port))
  }
  t.after(kill)
  await start()
  return { url, port, kill, start, pause: () => signal('SIGSTOP'), goOn: () => signal('SIGCONT') }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const [isThere] = await Promise.race([
    once(socket, 'connect').then(() => [true]),
    once(socket, 'close').then(() => [false]),
  ]).catch(() => [false])
  socket.destroy()
  return isThere as boolean
}

/** What one command of Redis is answered. */
export function ask({ port }: Broker, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${command}\r\n`)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', (data) => {
      socket.destroy()
      resolve(String(data))
    })
  })
}

/** The configuration of `engines/deploy/`, with these servers behind it. Returns nginx's URL. */
export async function startNginx(t: Scope, servers: readonly number[]): Promise<string> {
  const dir = await temporaryFolder(t)
  const [port] = await freePorts(1)
  const path = join(import.meta.dirname, '..', '..', 'engines', 'deploy', 'meanwhile.conf')
  const site = (await readFile(path, 'utf8'))
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace(/127\.0\.0\.1:800([12])/g, (_, n) => `127.0.0.1:${servers[n - 1]}`)
    .replace('/var/log/nginx/meanwhile.log', join(dir, 'access.log'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const folders = temporary.map((name) => `${name}_temp_path ${join(dir, name)};`).join('\n')
  const main = `daemon off; pid ${dir}/pid; error_log ${dir}/error.log; worker_processes 1;
    events { worker_connections 1024; }
    http { ${folders}\n${site} }`
  await writeFile(join(dir, 'nginx.conf'), main)
  const program: Program = [NGINX, ['-p', dir, '-c', join(dir, 'nginx.conf')]]
  return (await startBroker(t, `http://127.0.0.1:${port}`, port!, program)).url
}
