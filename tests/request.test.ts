import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { json } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import { type Case, checkExchanges, chunked, processing, request, TYPE } from './exchanges.ts'
import { exchange, jsonOf, post, startApp, until } from './helpers.ts'

// Of the kind that makes a hash table slow: they fit, or they are too long.
const keys = Array.from({ length: 9_000 }, (_, i) => `"${i * 1_021}":0`)

const cases: Case[] = [
  ['a JSON object', processing('{"a":1}', TYPE), 202],
  ['the charset UTF-8', processing('{"a":1}', `${TYPE}; charset=UTF-8`), 202],
  ['a JSON object in chunks', `${chunked('{"a"', ':1}')}0\r\n\r\n`, 202],
  ['an empty body', processing('', TYPE), 400],
  ['no body', request('POST /process HTTP/1.1'), 400],
  ['half an object', processing('{', TYPE), 400],
  ['nul', processing('nul', TYPE), 400],
  ['a comma too many', processing('{"a":1,}', TYPE), 400],
  ['a byte order mark', processing('\u00ef\u00bb\u00bf{}', TYPE), 400],
  ['what is no UTF-8', processing('{"a":"\u00ff"}', TYPE), 400],
  ['33 levels', processing(`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, TYPE), 400],
  ['16,000 levels', processing(`${'['.repeat(16_000)}`, TYPE), 400],
  ['32 levels', processing(`{"a":${'['.repeat(31)}${']'.repeat(31)}}`, TYPE), 202],
  ['null', processing('null', TYPE), 422],
  ['an array', processing('[]', TYPE), 422],
  ['a string', processing('"x"', TYPE), 422],
  ['a number', processing('1', TYPE), 422],
  ['a number beyond JSON', processing('{"a":[1,1e999]}', TYPE), 422],
  ['a key of every object', processing('{"__proto__":{"x":1}}', TYPE), 202],
  ['half a surrogate pair', processing('{"a":"\\ud800"}', TYPE), 202],
  ['9,000 keys like numbers', processing(`{${keys.join()}}`, TYPE), 413],
  ['4,500 keys like numbers', processing(`{${keys.slice(0, 4_500).join()}}`, TYPE), 202],
  ['plain text', processing('{}', 'Content-Type: text/plain'), 415],
  ['no type', processing('{}'), 415],
  ['UTF-16', processing('{}', `${TYPE}; charset=utf-16`), 415],
  ['a form', processing('a=1', 'Content-Type: application/x-www-form-urlencoded'), 415],
  ['gzip', processing('{}', TYPE, 'Content-Encoding: gzip'), 415],
  [
    'a body over the limit, unsent',
    request('POST /process HTTP/1.1', 'Content-Length: 65537', TYPE),
    413,
  ],
  [
    'a length beyond all measure',
    request('POST /process HTTP/1.1', 'Content-Length: 9999999999999', TYPE),
    413,
  ],
  ['too much in chunks', chunked('x'.repeat(65_000), 'x'.repeat(65_000)), 413],
  [
    'an expected body over the limit',
    request('POST /process HTTP/1.1', 'Content-Length: 65537', TYPE, 'Expect: 100-continue'),
    413,
  ],
  ['an expectation that is none', request('POST /process HTTP/1.1', 'Expect: foo'), 417],
]

checkExchanges(cases)

test('a body is not asked for before its length was checked, and is after', async (t) => {
  const { url } = await startApp(t)
  const lines = [TYPE, 'Content-Length: 2', 'Expect: 100-continue']
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.after(() => socket.destroy())

  socket.write(request('POST /process HTTP/1.1', ...lines))
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 100 Continue/)
  socket.write('{}')
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 202 /)
})

test('a client that sends too much is not cut off before it can read why', async (t) => {
  const { url } = await startApp(t)
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const body = 'x'.repeat(5_000_000)
  let answer = ''
  let error: unknown
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.on('error', (cause) => {
    error = cause
  })

  socket.write(request('POST /process HTTP/1.1', TYPE, `Content-Length: ${body.length}`) + body)
  await once(socket, 'close')

  assert.match(answer, /^HTTP\/1.1 413 /)
  assert.equal(error, undefined)
})

for (const end of ['half-closes', 'resets']) {
  test(`a client that ${end} in the middle of its body adds no task`, async (t) => {
    const { url, tasks } = await startApp(t)
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write(request('POST /process HTTP/1.1', TYPE, 'Content-Length: 10').concat('{"a":'))
    if (end === 'resets') socket.resetAndDestroy()
    else socket.resume().end()
    await once(socket, 'close')
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
    assert.equal(tasks.size, 0)
  })
}

test('a body on a route that reads none does not poison the next request', async (t) => {
  const { url } = await startApp(t)
  const first = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello'
  const answer = await exchange(url, first + request('GET /healthz HTTP/1.1'))
  assert.equal(answer.match(/HTTP\/1.1 200 OK/g)?.length, 2)
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

  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
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
