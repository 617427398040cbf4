// A Redis of its own for each measurement, where one is installed.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { launcher, type Place } from './child.ts'

/** Otherwise nothing that needs it is measured. */
export const hasRedis = spawnSync('redis-server', ['--version']).status === 0

const OPTIONS = ['--bind', '127.0.0.1', '--save', '', '--dir', tmpdir()]

/** It keeps nothing on the disk. */
export async function withRedis<T>(place: Place, use: (url: string) => Promise<T>): Promise<T> {
  const port = await freePort()
  const [program, ...args] = [
    ...launcher(place),
    'redis-server',
    '--port',
    String(port),
    ...OPTIONS,
  ]
  const child = spawn(program!, args, { stdio: 'ignore' })
  const ended = once(child, 'exit')
  try {
    while (!(await isListening(port))) await sleep(20)
    return await use(`redis://127.0.0.1:${port}`)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
