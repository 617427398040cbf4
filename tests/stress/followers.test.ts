// A thousand who follow the same task, which is told often.

import assert from 'node:assert/strict'
import type { Task } from '../../tasks.ts'
import { faultTest } from '../faults/fault.ts'
import { connectSocket, latch, type TestSocket } from '../helpers.ts'

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
