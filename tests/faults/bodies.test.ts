// Bodies that are no JSON, too long, too deep, cut, or in disguise (rows B).

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { chunked, processing, request, TYPE } from '../exchanges.ts'
import { connectTcp, exchange, until } from '../helpers.ts'
import { type Case, checkExchange, checkExchanges } from './exchanges.ts'
import { faultTest } from './fault.ts'

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
// Of the kind that makes a hash table slow: they fit, or they are too long.
const keys = Array.from({ length: 20_000 }, (_, i) => `"${i * 1_021}":0`)
const unsent = (length: number | string, ...lines: string[]) =>
  request('POST /process HTTP/1.1', `Content-Length: ${length}`, TYPE, ...lines)
const bodyOn = (method: string, path = '/healthz') =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello`

const cases: Case[] = [
  ['B1: an empty body', processing('', TYPE), 400],
  ['B1: an empty body in chunks', `${chunked()}0\r\n\r\n`, 400],
  ['B1: no body', request('POST /process HTTP/1.1'), 400],
  ['B3: null', processing('null', TYPE), 422],
  ['B3: an array', processing('[]', TYPE), 422],
  ['B3: a string', processing('"x"', TYPE), 422],
  ['B3: a number', processing('1', TYPE), 422],
  ['B4: a byte order mark', processing('\u00ef\u00bb\u00bf{}', TYPE), 400],
  ['B5: 0xFF', processing('{"a":"\u00ff"}', TYPE), 400],
  ['B5: an overlong slash', processing('{"a":"\u00c0\u00af"}', TYPE), 400],
  ['B5: a surrogate in UTF-8', processing('{"a":"\u00ed\u00a0\u0080"}', TYPE), 400],
  ['B5: a letter cut in two', processing('{"a":"\u00e2\u0082"}', TYPE), 400],
  ['B7: 100 KB of brackets', processing(nested(50_000), TYPE), 413],
  ['B7: 16,000 levels', processing(nested(16_000), TYPE), 400],
  ['B7: 33 levels', processing(`{"a":${nested(32)}}`, TYPE), 400],
  ['B7: 32 levels', processing(`{"a":${nested(31)}}`, TYPE), 202],
  ['B8: the key __proto__', processing('{"__proto__":{"x":1}}', TYPE), 202],
  ['B8: the key constructor', processing('{"constructor":{"prototype":{"x":1}}}', TYPE), 202],
  ['B10: a number beyond JSON', processing('{"a":[1,1e999]}', TYPE), 422],
  ['B11: 20,000 keys like numbers', processing(`{${keys.join()}}`, TYPE), 413],
  ['B11: 4,500 keys like numbers', processing(`{${keys.slice(0, 4_500).join()}}`, TYPE), 202],
  ['B12: a length over the limit, unsent', unsent(65_537), 413],
  ['B13: too much in chunks', chunked('x'.repeat(65_000), 'x'.repeat(65_000)), 413],
  ['B14: a length beyond all measure', `${unsent(9_999_999_999_999)}hello`, 413],
  ['B17: plain text', processing('{}', 'Content-Type: text/plain'), 415],
  ['B17: no type', processing('{}'), 415],
  ['B17: UTF-16', processing('{}', `${TYPE}; charset=utf-16`), 415],
  ['B17: a form', processing('a=1', 'Content-Type: application/x-www-form-urlencoded'), 415],
  ['B17: the charset UTF-8', processing('{"a":1}', `${TYPE}; charset=UTF-8`), 202],
  ['B18: gzip', processing('{}', TYPE, 'Content-Encoding: gzip'), 415],
  ['B18: br', processing('{}', TYPE, 'Content-Encoding: br'), 415],
  ['B18: a coding that is none', processing('{}', TYPE, 'Content-Encoding:'), 415],
  [
    'B20: a form in parts',
    processing('--x--', 'Content-Type: multipart/form-data; boundary=x'),
    415,
  ],
  ['B21: an expected body over the limit', unsent(65_537, 'Expect: 100-continue'), 413],
  ['B22: an expectation that is none', request('POST /process HTTP/1.1', 'Expect: foo'), 417],
]

checkExchanges(cases)

for (const body of ['{', 'nul', '{"a":1,}', '{"secret":}']) {
  faultTest(`B2: ${body}: 400, and nothing of it in the answer`, async (fault) => {
    const answer = await checkExchange(fault, processing(body, TYPE), 400)
    assert.doesNotMatch(answer, /secret|nul/)
  })
}

const kept: [what: string, body: string, line: string][] = [
  ['B6: half a surrogate pair stays one', '{"a":"\\ud800"}', '{"a":"\\ud800"}'],
  ['B9: of a key that is there twice the last counts', '{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
  ['B10: 2^53 + 1 is the number next to it', '{"a":9007199254740993}', '{"a":9007199254740992}'],
  [
    'B23: markup, escapes and marks of direction are text',
    `{"a":"<script>\\u001b[31m\\u202e${'x'.repeat(60_000)}"}`,
    `{"a":"<script>\\u001b[31m\u202e${'x'.repeat(60_000)}"}`,
  ],
]

for (const [what, body, line] of kept) {
  faultTest(what, async ({ url, tasks, workFile }) => {
    assert.match(await exchange(url, processing(body, TYPE)), /^HTTP\/1.1 202 /)
    await tasks.idle()
    assert.equal(await readFile(workFile, 'utf8'), `Processed: ${line}\n`)
  })
}

faultTest('B23: a text that is too long for its field is 422', async ({ url }) => {
  const body = `{"message":${JSON.stringify('x'.repeat(60_001))}}`
  const length = `Content-Length: ${body.length}`
  const answer = await exchange(url, request('POST /notify/alice HTTP/1.1', TYPE, length) + body)
  assert.match(answer, /^HTTP\/1.1 (413|422) /)
})

const departures: [what: string, leave: (socket: Socket) => void][] = [
  ['B15: a client that half-closes', (socket) => socket.end()],
  ['B16: a client that resets', (socket) => socket.resetAndDestroy()],
]

for (const [what, leave] of departures) {
  faultTest(`${what} in the middle of its body adds no task`, async (fault) => {
    const socket = connectTcp(fault.url).resume()
    await once(socket, 'connect')
    socket.write(`${unsent(10)}{"a":`)
    leave(socket)
    await once(socket, 'close')

    await checkExchange(fault, request('GET /healthz HTTP/1.1'), 200)
    assert.equal(fault.tasks.size, 0)
    assert.deepEqual(
      fault.logged.filter(({ level }) => level === 'error'),
      [],
    )
  })
}

for (const [method, path] of [
  ['GET'],
  ['HEAD'],
  ['DELETE', '/tasks/unknown'],
  ['OPTIONS'],
  ['POST', '/tasks/unknown/retry'],
]) {
  faultTest(`B19: a body that ${method} does not read is not the next request`, async ({ url }) => {
    const answer = await exchange(url, bodyOn(method!, path) + request('GET /healthz HTTP/1.1'))
    const statuses = [...answer.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)
    assert.deepEqual(statuses, [method === 'OPTIONS' ? '204' : path ? '404' : '200', '200'])
  })
}

faultTest(
  'B12: a client that sends too much is not cut off before it can read why',
  async (fault) => {
    const socket = connectTcp(fault.url)
    const errors: unknown[] = []
    let answer = ''
    socket.on('error', (error) => errors.push(error))
    socket.on('data', (chunk) => {
      answer += chunk
    })

    socket.write(unsent(5_000_000) + 'x'.repeat(5_000_000))
    await once(socket, 'close')

    assert.match(answer, /^HTTP\/1.1 413 /)
    assert.deepEqual(errors, [])
  },
)

faultTest('B13: chunks without end are not read for ever', async (fault) => {
  const socket = connectTcp(fault.url)
  const chunk = `2000\r\n${'x'.repeat(8_192)}\r\n`
  let answer = ''
  socket.on('data', (text) => {
    answer += text
  })
  const more = () => socket.write(chunk.repeat(8)) && setImmediate(more)
  socket.on('drain', more)

  socket.write(chunked())
  more()
  await once(socket, 'close')

  assert.match(answer, /^HTTP\/1.1 413 /)
})

faultTest(
  'B21: a body is not asked for before its length was checked, and is after',
  async (fault) => {
    const socket = connectTcp(fault.url)
    fault.scope.after(() => socket.destroy())

    socket.write(unsent(2, 'Expect: 100-continue'))
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 100 Continue/)
    socket.write('{}')
    assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 202 /)
    await until(() => fault.tasks.size === 0)
  },
)
