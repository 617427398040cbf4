// Who is told of which tasks over WebSocket: a whole server on which everybody proves who they are.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectSocket, type Json, latch, type TestSocket } from './helpers.ts'
import { ADMIN, as, startGuarded } from './tokens.ts'

/** Reads lists of changed tasks until this one has ended. Returns the ids of all that were told. */
async function toldUntil(socket: TestSocket, id: string): Promise<Set<string>> {
  const told = new Set<string>()
  for (;;) {
    const { topic, data } = await socket.nextOf('message')
    assert.equal(topic, 'tasks')
    for (const task of data) told.add(task.id)
    if (data.some((task: Json) => task.id === id && task.state === 'succeeded')) return told
  }
}

test('the topic `tasks` is a user’s own tasks, and all of them for an admin', async (t) => {
  const { url, tasks } = await startGuarded(t)
  const [old] = await Promise.all(
    ['alice', 'bob'].map((owner) => tasks.add(() => 1, undefined, { owner })),
  )
  await tasks.idle()
  const alice = await connectSocket(t, url, { headers: as('alice') })
  const admin = await connectSocket(t, url, { headers: as('root', ADMIN) })

  await alice.ask({ type: 'subscribe', topic: 'tasks' })
  const present = (await alice.next()).data.map(({ id }: Json) => id)
  await admin.ask({ type: 'subscribe', topic: 'tasks' })
  assert.equal((await admin.next()).data.length, 2)
  const [mine, theirs, nobodys] = await Promise.all([
    tasks.add(() => 1, undefined, { owner: 'alice' }),
    tasks.add(() => 1, undefined, { owner: 'bob' }),
    tasks.add(() => 1),
  ])
  await tasks.idle()
  const last = await tasks.add(() => 1, undefined, { owner: 'alice' })

  assert.deepEqual(present, [old!.id])
  assert.deepEqual(await toldUntil(alice, last.id), new Set([mine.id, last.id]))
  const all = new Set([mine.id, theirs.id, nobodys.id, last.id])
  assert.deepEqual(await toldUntil(admin, last.id), all)
})

test('nobody follows somebody else’s list by another name', async (t) => {
  const { url } = await startGuarded(t)
  const alice = await connectSocket(t, url, { headers: as('alice') })
  for (const topic of ['tasks:bob', 'tasks:alice', 'tasks ', 'tasks:']) {
    assert.equal((await alice.ask({ type: 'subscribe', topic })).code, 'bad_topic')
  }
})

test('A9, W8: a task is followed by its owner and by an admin; to others it is not there', async (t) => {
  const { url, tasks } = await startGuarded(t)
  const { opened, open } = latch()
  const { id } = await tasks.add(() => opened, undefined, { owner: 'alice' })
  const follow = async (headers: Record<string, string>, topic: string) => {
    const socket = await connectSocket(t, url, { headers })
    return { socket, answer: await socket.ask({ type: 'subscribe', topic }) }
  }

  const alice = await follow(as('alice'), `task:${id}`)
  const admin = await follow(as('root', ADMIN), `task:${id}`)
  const bob = await follow(as('bob'), `task:${id}`)
  const none = await follow(as('bob'), `task:${id.replace(/-.*/, '-zzz')}`)
  open()

  for (const { socket } of [alice, admin]) {
    assert.equal((await socket.next()).data.state, 'running')
    assert.equal((await socket.next()).data.state, 'succeeded')
  }
  assert.equal(bob.answer.code, 'not_found')
  assert.deepEqual(bob.answer, none.answer)
})
