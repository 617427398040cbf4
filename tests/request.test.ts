import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { json } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import { chunked, processing, request, TYPE } from './exchanges.ts'
import { connectTcp, exchange, jsonOf, post, startApp, statusOf, until } from './helpers.ts'

test('a JSON object is a body, whole or in chunks', async (t) => {
  const { url } = await startApp(t)
  assert.equal(await statusOf(url, processing('{"a":1}', TYPE)), 202)
  assert.equal(await statusOf(url, `${chunked('{"a"', ':1}')}0\r\n\r\n`), 202)
})

test('a body can be asked for twice, and one whose client has left is an error at once', async (t) => {
  let outcome: unknown
  const routes = {
    'POST /twice': async (request: Request) =>
      json(200, [await request.json(), await request.json()]),
    'POST /late': async (request: Request) => {
      await request.replied
      outcome = await request.json().catch((error) => error.status)
      return json(200, {})
    },
  }
  const { url } = await startApp(t, {}, { routes })
  assert.deepEqual(await jsonOf(post(`${url}/twice`, { a: 1 })), [{ a: 1 }, { a: 1 }])

  const socket = connectTcp(url)
  socket.write('POST /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n')
  socket.write('Content-Type: application/json\r\n\r\n{')
  await once(socket, 'connect')
  setImmediate(() => socket.destroy())
  await until(() => outcome !== undefined)
  assert.equal(outcome, 400)
})

test('an HTTP/1.0 client is not told to continue, which it would not understand', async (t) => {
  const { url } = await startApp(t)
  const lines = [TYPE, 'Content-Length: 2', 'Expect: 100-continue']
  const answer = await exchange(url, `${request('POST /process HTTP/1.0', ...lines)}{}`)
  assert.match(answer, /^HTTP\/1.1 202 /)
})
