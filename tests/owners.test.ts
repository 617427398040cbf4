// A whole server with AUTH_SECRET: whose tasks are whose, and how many one may have.

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectSocket, type Json, jsonOf, post, temporaryFolder, until } from './helpers.ts'
import { alone } from './queue.ts'
import { ADMIN, as, inSeconds, startGuarded, tokenOf } from './tokens.ts'

const ROOT = as('root', ADMIN)

const idOf = async (reply: Promise<Response>): Promise<string> => (await jsonOf(reply)).id

const questions = [
  ['GET', ''],
  ['GET', '/result'],
  ['DELETE', ''],
  ['POST', '/retry'],
] as const

for (const [method, path] of questions) {
  test(`T11: ${method} /tasks/ID${path} of somebody else’s task is answered like an unknown one`, async (t) => {
    const { url, tasks } = await startGuarded(t)
    const id = await idOf(post(`${url}/process`, {}, as('alice')))
    await tasks.idle()
    const ask = async (of: string, headers: Record<string, string>) => {
      const reply = await fetch(`${url}/tasks/${of}${path}`, { method, headers })
      return [reply.status, await reply.text()]
    }

    const foreign = await ask(id, as('bob'))

    assert.equal(foreign[0], 404)
    assert.deepEqual(foreign, await ask('unknown', as('bob')))
    assert.notEqual((await ask(id, as('alice')))[0], 404)
    assert.notEqual((await ask(id, ROOT))[0], 404)
    assert.equal((await tasks.find(id))?.state, 'succeeded')
  })
}

test('a list has one’s own tasks, page by page, and all of them for an admin', async (t) => {
  const { url, tasks } = await startGuarded(t)
  const ids: Record<string, string[]> = { alice: [], bob: [] }
  for (const user of ['alice', 'bob', 'alice', 'bob', 'alice']) {
    ids[user]!.unshift(await idOf(post(`${url}/process`, {}, as(user))))
  }
  const { id: nobodys } = await tasks.add(() => 1)
  await tasks.idle()
  const page = (query: string, headers: Record<string, string>) =>
    jsonOf(fetch(`${url}/tasks?${query}`, { headers }))
  const idsOf = async (headers: Record<string, string>, query = '') =>
    (await page(query, headers)).tasks.map((task: Json) => task.id)

  assert.deepEqual(await idsOf(as('alice')), ids.alice)
  assert.deepEqual(await idsOf(as('bob'), 'user=alice&owner=alice'), ids.bob)
  assert.deepEqual(await idsOf(as('carol')), [])
  assert.equal((await idsOf(ROOT)).length, 6)
  assert.equal((await idsOf(ROOT))[0], nobodys)
  const first = await page('limit=2', as('alice'))
  const second = await page(`limit=2&after=${first.next}`, as('alice'))
  assert.deepEqual(
    [...first.tasks, ...second.tasks].map(({ id }: Json) => id),
    ids.alice,
  )
  assert.equal(second.next, null)
})

test('a task tells nobody whose it is', async (t) => {
  const { url } = await startGuarded(t)
  const id = await idOf(post(`${url}/process`, {}, as('alice')))
  const task = await (await fetch(`${url}/tasks/${id}`, { headers: as('alice') })).text()
  assert.doesNotMatch(task, /alice|owner/)
})

test('one user has at most a quarter of the capacity, then 429; others have theirs', async (t) => {
  const { url, tasks } = await startGuarded(t, { CAPACITY: '11', WORK_SECONDS: '60' })
  const send = (user: string) => post(`${url}/process`, {}, as(user))
  const first = await idOf(send('alice'))
  assert.equal((await send('alice')).status, 202)

  const refused = await send('alice')
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.match((await jsonOf(refused)).detail, /at most 2 tasks/)
  assert.equal((await post(`${url}/render`, undefined, as('alice'))).status, 429)
  assert.equal((await post(`${url}/notify/bob`, undefined, as('alice'))).status, 429)
  await until(() => tasks.size === 2)
  assert.equal((await send('bob')).status, 202)

  await fetch(`${url}/tasks/${first}`, { method: 'DELETE', headers: as('alice') })
  await until(async () => (await tasks.find(first))?.state === 'cancelled')
  assert.equal((await send('alice')).status, 202)
  const retry = await post(`${url}/tasks/${first}/retry`, undefined, as('alice'))
  assert.equal(retry.status, 429)
})

test('a quarter is one task at least', async (t) => {
  const { url } = await startGuarded(t, { CAPACITY: '2', WORK_SECONDS: '60' })
  const send = async (user: string) => (await post(`${url}/process`, {}, as(user))).status
  assert.deepEqual([await send('alice'), await send('alice'), await send('bob')], [202, 429, 202])
  assert.equal(await send('carol'), 503, 'for whoever it is, when the queue is full')
})

test(
  'after a restart a task still has its owner, and counts for them',
  alone('there is no journal'),
  async (t) => {
    const folder = await temporaryFolder(t)
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    const env = { CAPACITY: '8', WORK_SECONDS: '60' }
    const before = await startGuarded(t, { ...env, JOURNAL: first })
    const id = await idOf(post(`${before.url}/process`, {}, as('alice')))
    await post(`${before.url}/process`, {}, as('alice'))
    await writeFile(second, await readFile(first)) // as a crash would leave it

    const { url } = await startGuarded(t, { ...env, JOURNAL: second })

    const statusFor = async (user: string) =>
      (await fetch(`${url}/tasks/${id}`, { headers: as(user) })).status
    assert.deepEqual([await statusFor('alice'), await statusFor('bob')], [200, 404])
    assert.equal((await post(`${url}/process`, {}, as('alice'))).status, 429)
    assert.equal((await post(`${url}/process`, {}, as('bob'))).status, 202)
  },
)

test('an Idempotency-Key is one user’s own, whatever token comes with it', async (t) => {
  const { url } = await startGuarded(t)
  const key = { 'idempotency-key': 'k' }
  const send = (headers: Record<string, string>, query = '') =>
    idOf(post(`${url}/process${query}`, {}, { ...headers, ...key }))
  const mine = await send(as('alice'))
  assert.equal(await send(as('alice', { exp: inSeconds(120) })), mine)
  assert.equal(await send({}, `?token=${tokenOf('alice')}`), mine)
  assert.equal(await send({}, `?token=${tokenOf('alice', { jti: 'another' })}`), mine)
  assert.notEqual(await send(as('bob')), mine)
})

test('a notification says from whom it is, whoever the query names', async (t) => {
  const { url } = await startGuarded(t)
  const socket = await connectSocket(t, url, { headers: as('alice'), user: 'bob' })
  await socket.ask({ type: 'subscribe', topic: 'user:alice' })
  await post(`${url}/notify/alice?user=mallory`, { message: 'tea?' }, as('bob'))
  const { data } = await socket.nextOf('message')
  assert.deepEqual([data.message, data.from], ['tea?', 'bob'])
})

for (const [path, name] of [
  ['/process?fail=1', 'fail'],
  ['/process?wait=true', 'wait'],
  ['/process?wait=false', 'wait'],
  ['/render?thread=false', 'thread'],
  ['/render?thread=true', 'thread'],
]) {
  test(`POST ${path} is for an open server only`, async (t) => {
    const { url, tasks } = await startGuarded(t)
    const reply = await post(`${url}${path}`, {}, ROOT)
    assert.equal(reply.status, 422)
    const [{ pointer, detail }] = (await jsonOf(reply)).errors
    assert.equal(pointer, name)
    assert.match(detail, /only an open server/)
    assert.equal((await tasks.list({ limit: 1 })).tasks.length, 0)
  })
}
