// `npm run cluster`, as somebody tries it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { jsonOf, post, temporaryFolder, until } from '../helpers.ts'
import { startRedis } from './brokers.ts'

interface Place {
  readonly url: string
  readonly pid: number
}

/** Started, and where its members are: a map that changes when one is killed. */
async function startCluster(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const file = join(await temporaryFolder(t), 'log.txt')
  const quick = { PORT: '0', WORK_SECONDS: '0', WORK_FILE: file }
  const child = spawn(process.execPath, ['--import', 'tsx', 'engines/cluster.ts'], {
    cwd: join(import.meta.dirname, '..', '..'),
    env: { ...process.env, ...quick, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit').then(([code]) => code as number)
  const places = new Map<string, Place>()
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const [, name, url, pid] = /^(.+?) {2}is at (\S+), process (\d+)$/.exec(line) ?? []
    if (name && url) places.set(name, { url, pid: Number(pid) })
  })
  const stop = async () => {
    child.kill('SIGTERM')
    return exited
  }
  t.after(stop) // its own processes end with it
  await until(() => places.size === 3)
  return { places, stop, file }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a cluster is two web processes and a worker over a Redis of its own; who is killed comes back, and all end together', async (t) => {
  const { places, stop, file } = await startCluster(t)
  const [first, second, worker] = ['web 1', 'web 2', 'worker'].map((name) => places.get(name)!)
  const { id } = await jsonOf(post(`${first!.url}/process`, { n: 1 }))
  const stateOf = async () => (await jsonOf(fetch(`${second!.url}/tasks/${id}`))).state
  await until(async () => (await stateOf()) === 'succeeded')
  assert.equal(await readFile(file, 'utf8'), 'Processed: {"n":1}\n')

  process.kill(worker!.pid, 'SIGKILL')
  await until(() => places.get('worker')!.pid !== worker!.pid)
  const again = await jsonOf(post(`${second!.url}/process`, { n: 2 }))
  await until(async () => {
    const task = await jsonOf(fetch(`${first!.url}/tasks/${again.id}`))
    return task.state === 'succeeded'
  })

  assert.equal(await stop(), 0)
  assert.deepEqual(
    [...places.values()].filter(({ pid }) => isAlive(pid)),
    [],
  )
})

test('a cluster takes the Redis that it is given', async (t) => {
  const { url } = await startRedis(t)
  const { places } = await startCluster(t, { TASKS_URL: url })
  const { id } = await jsonOf(post(`${places.get('web 1')!.url}/process`, { n: 1 }))
  const reply = await fetch(`${places.get('web 2')!.url}/tasks/${id}`)
  assert.equal(reply.status, 200)
})
