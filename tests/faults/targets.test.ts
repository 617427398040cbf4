// Methods and request targets that are none, or that look like another (rows M).

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { processing, request, TYPE } from '../exchanges.ts'
import { exchange } from '../helpers.ts'
import { type Case, checkExchange, checkExchanges } from './exchanges.ts'
import { faultTest } from './fault.ts'

const get = (target: string) => request(`GET ${target} HTTP/1.1`)
const many = Array.from({ length: 2_000 }, (_, i) => `p${i}`)

const cases: Case[] = [
  ['M1: an unknown method', request('FOO / HTTP/1.1'), 400],
  ['M1: a method in small letters', request('get / HTTP/1.1'), 400],
  ['M3: CONNECT', request('CONNECT localhost:1 HTTP/1.1'), 0],
  ['M6: GET *', get('*'), 400],
  ['M7: a target in full', get('http://evil/healthz'), 400],
  ['M7: a target in full, with our own name', get('http://localhost/healthz'), 400],
  ['M8: two slashes', get('//'), 404],
  ['M8: three slashes', get('///'), 404],
  ['M8: slashes and a bracket', get('//['), 404],
  ['M8: slashes and a port', get('//:80'), 404],
  ['M9: slashes and a host', get('//evil.com/healthz'), 404],
  ['M9: backslashes and a host', get('/\\\\evil.com'), 404],
  ['M10: a lone percent sign', get('/%'), 400],
  ['M10: a percent sign and no number', get('/%zz'), 400],
  ['M10: an overlong slash', get('/%c0%ae'), 400],
  ['M11: a space', get('/a b'), 400],
  ['M11: bytes that are no ASCII', get('/\u00e4'), 400],
  ['M11: a NUL', get('/a\0b'), 400],
  ['M11: no slash at the start', get('healthz'), 400],
  ['M11: nothing', 'GET  HTTP/1.1\r\nHost: localhost\r\n\r\n', 400],
  ['M12: a fragment', get('/healthz#a'), 404],
  ['M13: a task named __proto__', get('/tasks/__proto__'), 404],
  ['M13: a task named constructor', get('/tasks/constructor'), 404],
  ['M13: a path named toString', get('/toString'), 404],
  ['M13: a path named __proto__', get('/__proto__'), 404],
  ['M14: an id of 10 KB', get(`/tasks/${'a'.repeat(10_000)}`), 404],
  ['M14: an id that climbs', get('/tasks/..%2f..%2fetc'), 404],
  ['M14: an id in capitals', get('/tasks/AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA'), 404],
  ['M14: an id in other digits', get('/tasks/%D9%A1%D9%A2'), 404],
  ['M14: a user that is no name', request('POST /notify/a%20b HTTP/1.1'), 422],
  ['M14: a user with a slash', request('POST /notify/a%2Fb HTTP/1.1'), 422],
  ['M15: 2,000 parameters', get(`/healthz?${many.join('&')}`), 200],
  ['M15: 10,000 parameters', get(`/healthz?${many.join('&').repeat(5)}`), 431],
  ['M15: a parameter with brackets', get('/tasks?limit[__proto__][x]=1'), 200],
  ['M15: a parameter named __proto__', get('/tasks?__proto__=1&constructor=2'), 200],
]

checkExchanges(cases)

for (const method of ['PROPFIND', 'M-SEARCH', 'QUERY', 'TRACE', 'DELETE', 'PUT', 'PATCH', 'POST']) {
  faultTest(`M2: ${method} on a route to read is 405, and echoes nothing`, async (fault) => {
    const answer = await exchange(fault.url, request(`${method} /healthz HTTP/1.1`, 'x: secret'))
    // Older versions of Node do not know QUERY.
    if (method !== 'QUERY' || !answer.startsWith('HTTP/1.1 400')) {
      assert.match(answer, /^HTTP\/1.1 405 [\s\S]*allow: GET, HEAD, OPTIONS\r\n/)
    }
    assert.doesNotMatch(answer, /secret/)
  })
}

const server = readFileSync(join(import.meta.dirname, '../../server.ts'), 'utf8')
const readable = [...server.matchAll(/'GET (\/[a-z]+)':/g)].map(([, path]) => path!)

faultTest('M4: HEAD is answered like GET, without the body', async ({ url }) => {
  assert.ok(readable.includes('/metrics'))
  const partsOf = (answer: string) => {
    const [head, body] = answer.split('\r\n\r\n')
    const length = /content-length: (\d+)/i.exec(head!)?.[1]
    // What changes from one to the next.
    const lines = head!
      .split('\r\n')
      .filter((line) => !/^(date|x-request-id|content-length):/i.test(line))
    return { lines: lines.toSorted(), body, length }
  }
  for (const path of [...readable, '/', '/tasks/unknown']) {
    const get = partsOf(await exchange(url, request(`GET ${path} HTTP/1.1`)))
    const head = partsOf(await exchange(url, request(`HEAD ${path} HTTP/1.1`)))
    assert.deepEqual(head.lines, get.lines, path)
    assert.equal(head.body, '', path)
    if (path !== '/metrics') assert.equal(head.length, get.length, path)
  }
})

faultTest('M5: OPTIONS says what is allowed, and lets no other origin in', async (fault) => {
  for (const target of ['/healthz', '*']) {
    const lines = ['Origin: https://evil.example', 'Access-Control-Request-Method: POST']
    const answer = await checkExchange(fault, request(`OPTIONS ${target} HTTP/1.1`, ...lines), 204)
    assert.match(answer, /allow: GET, HEAD, /)
    assert.doesNotMatch(answer, /access-control/i)
  }
})

faultTest('M7: the host of a target in full is nobody’s Host', async (fault) => {
  const full = processing('{}', TYPE).replace('POST /', 'POST http://localhost/')
  await checkExchange(fault, full.replace('Host: localhost', 'Host: evil.example'), 421)
})
