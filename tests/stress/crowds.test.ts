// Crowds: more connections than there is room for, and a thousand who follow the same task.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { json } from '../../lib/reply.ts'
import type { Task } from '../../tasks.ts'
import { request, TYPE } from '../exchanges.ts'
import { checkHealth, faultTest } from '../faults/fault.ts'
import { connectSocket, dial, latch, type TestSocket, until } from '../helpers.ts'

const MOST = 1_001 // connections, with MAX_CONNECTIONS=1

const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
const HALF = `POST /process HTTP/1.1\r\nHost: localhost\r\n${TYPE}\r\nContent-Length: 9\r\n\r\nhalf`

const idlers: [what: string, bytes: string, count: number][] = [
  ['10,000 that connect and say nothing', '', 10_000],
  ['half a head', 'GET / HTTP/1.1\r\nHost: localhost\r\nHalf', 1_500],
  ['half a body', HALF, 1_500],
  ['kept for a next request', HEALTH, 1_500],
]

for (const [what, bytes, count] of idlers) {
  const { opened, open } = latch()
  const slow = () => opened.then(() => json(200, 'at last'))
  const title = `S6: connections without end (${what}) keep nobody out, and cut nobody who waits`
  faultTest(
    title,
    async (fault) => {
      const waiting = dial(fault.scope, fault.url, request('GET /slow HTTP/1.1'))
      const friend = await connectSocket(fault.scope, fault.url)
      let isOpen = 0
      for (let n = 0; n < count; n++) {
        const { socket, closed } = dial(fault.scope, fault.url, bytes)
        await once(socket, bytes === HEALTH ? 'data' : 'connect')
        isOpen++
        closed.then(() => isOpen--)
        if (n % 250 === 0) await checkHealth(fault.url)
      }
      await until(() => isOpen < MOST)
      friend.send({ type: 'ping' })
      assert.equal((await friend.next()).type, 'pong')
      open()
      assert.match(await waiting.closed, /at last/)
    },
    { env: { MAX_CONNECTIONS: '1' }, routes: { 'GET /slow': slow } },
  )
}

faultTest(
  'S13: a thousand follow a task with 100 steps a second: all hear its end, nobody each step',
  async ({ scope, tasks, url }) => {
    const { opened, open } = latch()
    const steps = 100
    const { id } = await tasks.add(async (_payload: undefined, context) => {
      await opened
      for (let step = 1; step <= steps; step++) {
        context.progress(step / steps)
        await context.sleep(10)
      }
    }, undefined)
    const sockets: TestSocket[] = []
    for (let n = 0; n < 1_000; n++) sockets.push(await connectSocket(scope, url))
    for (const socket of sockets) await socket.ask({ type: 'subscribe', topic: `task:${id}` })

    open()
    const all = await Promise.all(sockets.map(readToTheEnd))

    for (const heard of all) {
      assert.equal(heard.at(-1)!.state, 'succeeded')
      assert.equal(heard.at(-1)!.progress, 1)
      assert.ok(heard.length < steps, `${heard.length} states`)
      const progress = heard.map((task) => task.progress ?? 0)
      assert.deepEqual(
        progress,
        progress.toSorted((a, b) => a - b),
      )
    }
  },
  { env: { MAX_CONNECTIONS: '1000', MAX_CONNECTIONS_PER_ADDRESS: '1000' } },
)

async function readToTheEnd(socket: TestSocket): Promise<Task[]> {
  const heard: Task[] = []
  do heard.push((await socket.nextOf('message')).data)
  while (!heard.at(-1)!.endedAt)
  return heard
}
