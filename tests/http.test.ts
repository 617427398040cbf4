import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { json } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import { request, TYPE } from './exchanges.ts'
import {
  connectTcp,
  exchange,
  fail,
  jsonOf,
  post,
  revokedProxy,
  startApp,
  statusOf,
  until,
} from './helpers.ts'

test('every route answers with and without a slash at its end, and HEAD like GET', async (t) => {
  const { url } = await startApp(t)
  for (const path of ['/healthz', '/healthz/', '/tasks/', '/echo.html']) {
    const get = await fetch(url + path)
    const head = await fetch(url + path, { method: 'HEAD' })
    assert.equal(get.status, 200)
    assert.equal(head.status, 200)
    assert.equal(head.headers.get('content-type'), get.headers.get('content-type'))
    assert.equal(head.headers.get('content-length'), String((await get.arrayBuffer()).byteLength))
    assert.equal(await head.text(), '')
  }
})

test('OPTIONS and a wrong method name what is allowed, and nobody is let in across origins', async (t) => {
  const { url } = await startApp(t)
  for (const [path, allow] of [
    ['/process', 'POST, OPTIONS'],
    ['/tasks', 'GET, HEAD, OPTIONS'],
    ['/', 'GET, HEAD, OPTIONS'],
  ]) {
    const options = await fetch(url + path, { method: 'OPTIONS' })
    const wrong = await fetch(url + path, { method: 'PATCH' })
    assert.deepEqual([options.status, options.headers.get('allow')], [204, allow])
    assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, allow])
    assert.equal(options.headers.get('access-control-allow-origin'), null)
  }
})

test('a sane request id is kept, any other is replaced', async (t) => {
  const { url } = await startApp(t)
  const idOf = async (given: string) => {
    const reply = await fetch(`${url}/healthz`, { headers: { 'x-request-id': given } })
    return reply.headers.get('x-request-id')
  }
  assert.equal(await idOf('abc-123'), 'abc-123')
  const own = [await idOf('a b'), await idOf('x'.repeat(129))]
  for (const id of own) assert.match(id!, /^[0-9a-f]{16}-[0-9a-z]+$/)
  assert.notEqual(own[0], own[1])
})

test('P13: pages may run scripts of this server only', async (t) => {
  const { url } = await startApp(t)
  for (const page of ['/', '/echo.html']) {
    const reply = await fetch(url + page)
    const policy = reply.headers.get('content-security-policy')!
    assert.match(policy, /script-src 'self';.*frame-ancestors 'none'/)
    assert.doesNotMatch(policy, /unsafe/)
    assert.equal(reply.headers.get('content-type'), 'text/html; charset=utf-8')
    assert.doesNotMatch(await reply.text(), /<script(?![^>]* src=)|\son\w+=|style=/)
  }
})

const broken: [what: string, handler: (request: Request) => never, status: number][] = [
  ['throws', () => fail(new Error('a secret')), 500],
  ['throws what is no error', () => fail('a secret'), 500],
  ['throws a revoked proxy', () => fail(revokedProxy()), 500],
  ['returns nothing', () => undefined as never, 500],
  ['sets a header with a line feed', () => json(200, {}, { a: 'b\r\nc: d' }) as never, 500],
]

for (const [what, handler, status] of broken) {
  test(`a handler that ${what} tells the client nothing, and the server goes on`, async (t) => {
    const { url } = await startApp(t, {}, { routes: { 'GET /broken': handler } })
    const answer = await exchange(url, request('GET /broken HTTP/1.1'))
    assert.equal(Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1] ?? 0), status)
    assert.doesNotMatch(answer, /secret|\.ts/)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
  })
}

test('what comes after a reply that has begun is cut off, not answered twice', async (t) => {
  const big = 'x'.repeat(20_000_000)
  const { url } = await startApp(t, {}, { routes: { 'GET /big': () => json(200, big) } })
  const socket = connectTcp(url)
  let answer = ''
  socket.write(`GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await once(socket, 'readable')
  socket.write('what is no HTTP\r\n\r\n')
  for await (const chunk of socket) answer += chunk
  assert.equal(answer.match(/HTTP\/1.1 /g)?.length, 1)
})

test('the problem document of a 422 points to the place', async (t) => {
  const { url } = await startApp(t)
  const problem = await jsonOf(post(`${url}/process`, '{"a":{"b/c":[1,1e999]}}'))
  assert.deepEqual(problem.errors[0].pointer, '/a/b~1c/1')
  assert.equal(problem.title, 'Unprocessable Entity')
  assert.equal(await statusOf(url, request('GET /tasks?limit=0 HTTP/1.1')), 422)
})

test('a refusal that ends the connection does not cut off who is still sending', async (t) => {
  const { url } = await startApp(t)
  const socket = connectTcp(url)
  const errors: unknown[] = []
  let answer = ''
  socket.on('error', (error) => errors.push(error))
  socket.on('data', (chunk) => {
    answer += chunk
  })

  socket.write(request('POST /none HTTP/1.1', 'Content-Length: 5000000') + 'x'.repeat(5_000_000))
  await once(socket, 'close')

  assert.match(answer, /^HTTP\/1.1 404 /)
  assert.deepEqual(errors, [])
})

test('a client that cuts a pipeline, of which the last is refused, ends nothing but that', async (t) => {
  const { url } = await startApp(t)
  const host = 'Host: localhost\r\n'
  const pipeline = [
    `POST /process HTTP/1.1\r\n${host}Expect: 100-continue\r\n\r\n`,
    `POST /process HTTP/1.1\r\n${host}${TYPE}\r\nContent-Length: 2\r\n\r\n{}`,
    `${request('POST /none HTTP/1.1', 'Content-Length: 2')}{}`,
  ].join('')

  for (let i = 0; i < 50; i++) {
    const socket = connectTcp(url)
    const closed = once(socket.resume(), 'close')
    socket.write(pipeline)
    await turn()
    socket.resetAndDestroy()
    await closed
  }

  assert.equal(await statusOf(url, request('GET /healthz HTTP/1.1')), 200)
})

const deaths: [what: string, bytes: string][] = [
  ['garbage', 'what is no HTTP\r\n\r\n'],
  [
    'a refused upgrade',
    'GET /no HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  ],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a reset', ''],
]

for (const [what, bytes] of deaths) {
  test(`requests in a pipeline that ends with ${what} leave nothing behind, and their tasks run`, async (t) => {
    let runs = 0
    const routes = {
      'GET /work': async ({ replied }: Request) => {
        await app.tasks.add(() => runs++, undefined, { after: replied })
        return json(202, {})
      },
    }
    const app = await startApp(t, {}, { routes })
    const socket = connectTcp(app.url)
    await once(socket, 'connect')
    const closed = once(socket.resume(), 'close')
    socket.write('GET /work HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3) + bytes)
    await until(() => runs > 0 || app.tasks.size === 3)
    if (bytes === '') socket.resetAndDestroy()
    await closed

    await app.tasks.idle()
    const stopping = performance.now()
    assert.equal(await app.close(20_000), true)
    assert.ok(
      performance.now() - stopping < 10_000,
      'stopping waits for replies that can never end',
    )
  })
}
