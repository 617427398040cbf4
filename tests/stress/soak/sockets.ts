// Other sockets: who follows one task, all tasks, the figures, or notifications; the echo; and those
// that come, say something, and go.

import { connectSocket, type Json, jsonOf, post, type Scope, scoped } from '../../helpers.ts'
import type { Dice, World } from './world.ts'

const USERS = ['ann', 'ben', 'cleo']

export async function sockets(world: World): Promise<void> {
  const kinds: [pause: number, act: (world: World, scope: Scope, dice: Dice) => Promise<void>][] = [
    [100, followTask],
    [100, echo],
    [200, comeAndGo],
    [1_000, followLists],
  ]
  const loads = kinds.map(([pause, act]) => {
    const dice = world.dice()
    return world.repeat(pause, dice, () => scoped((scope) => act(world, scope, dice)))
  })
  const users = USERS.map((user) => scoped((scope) => notifications(world, scope, user)))
  await Promise.all([...loads, ...users])
}

/** Its states come in order, and its end is the last. */
async function followTask({ url, expect, count }: World, scope: Scope): Promise<void> {
  const follower = await connectSocket(scope, url)
  const { id } = await jsonOf(post(`${url}/notify/nobody`))
  if (id === undefined) return count('full')
  await follower.ask({ type: 'subscribe', topic: `task:${id}` })
  const states: string[] = []
  do states.push((await follower.nextOf('message')).data.state)
  while (!/succeeded|failed|cancelled/.test(states.at(-1)!))
  expect(/^(queued )*(running )*succeeded$/.test(states.join(' ')), `${id} went ${states}`)
  count('tasks followed')
}

async function echo({ url, expect, count }: World, scope: Scope, dice: Dice): Promise<void> {
  const client = await connectSocket(scope, url, { protocol: null })
  for (let n = 0; n < 5; n++) {
    client.send(`hi ${n}`)
    const text = await client.text()
    expect(text === `You said: hi ${n}`, `the echo of hi ${n} was ${text}`)
    count('echoes')
  }
  if (dice.percent(50)) return
  client.socket.close()
  await client.closed
}

/** Leaves in one of three ways, the last of which is not to. */
async function comeAndGo({ url, count, pause }: World, scope: Scope, dice: Dice): Promise<void> {
  const user = `visitor-${Math.floor(dice.upTo(50))}`
  const client = await connectSocket(scope, url, { user })
  for (const topic of ['room:hall', `room:side-${Math.floor(dice.upTo(300))}`]) {
    await client.ask({ type: 'subscribe', topic })
    client.send({ type: 'publish', id: 2, topic, data: dice.upTo(1), transient: true })
    client.send({ type: 'publish', id: 3, topic, data: 'x'.repeat(dice.upTo(3_000)) })
  }
  count('visits')
  if (dice.percent(30)) return client.socket.close()
  if (dice.percent(50)) return client.socket.send(Buffer.of(0)) // binary: it is closed for that
  client.socket.pause()
  await pause(dice.upTo(500))
}

async function followLists({ url, expect, count }: World, scope: Scope): Promise<void> {
  const client = await connectSocket(scope, url)
  const first = await client.ask({ type: 'subscribe', topic: 'tasks' })
  const { data } = await client.nextOf('message')
  expect(first.type === 'ok' && data.length <= 100, `tasks began with ${data.length}`)
  await client.ask({ type: 'subscribe', topic: 'stats', id: 2 })
  let message: Json
  do message = await client.nextOf('message')
  while (message.topic !== 'stats')
  expect(message.data.sockets > 0, `the figures count ${message.data.sockets} sockets`)
  count('lists followed')
}

/** Each reaches who is there, once and in order. */
async function notifications(world: World, scope: Scope, user: string): Promise<void> {
  const { url, expect, count } = world
  const client = await connectSocket(scope, url, { user })
  await client.ask({ type: 'subscribe', topic: `user:${user}` })
  await world.repeat(200, world.dice(), async () => {
    const { id } = await jsonOf(post(`${url}/notify/${user}`, { message: `to ${user}` }))
    if (id === undefined) return count('full')
    const { data } = await client.nextOf('message')
    expect(data.task === id, `${user} heard of ${data.task}, not of ${id}`)
    count('notifications')
  })
}
