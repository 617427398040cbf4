// Headers and framing that HTTP forbids, or that two readers could read in two ways (rows H).

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chunked, headers, processing, request, TYPE } from '../exchanges.ts'
import { connectTcp, exchange, until } from '../helpers.ts'
import { type Case, checkExchange, checkExchanges } from './exchanges.ts'
import { faultTest } from './fault.ts'

const posting = (...lines: string[]) => request('POST /process HTTP/1.1', TYPE, ...lines)
const asking = (...lines: string[]) => request('GET /healthz HTTP/1.1', ...lines)
const inChunks = (body: string, ...lines: string[]) =>
  posting('Transfer-Encoding: chunked', ...lines) + body
/** With this Host line, or these, and no other. */
const to = (...hosts: string[]) =>
  `${['GET /healthz HTTP/1.1', ...hosts, 'Connection: close'].join('\r\n')}\r\n\r\n`

const cases: Case[] = [
  ['H1: a length and chunks', posting('Content-Length: 2', 'Transfer-Encoding: chunked'), 400],
  ['H2: one length twice', `${posting('Content-Length: 2', 'Content-Length: 2')}{}`, 400],
  ['H2: two lengths', `${posting('Content-Length: 2', 'Content-Length: 3')}{}`, 400],
  ['H2: two lengths in one line', `${posting('Content-Length: 2, 2')}{}`, 400],
  ['H3: a length with a sign', posting('Content-Length: +5'), 400],
  ['H3: a length below zero', posting('Content-Length: -1'), 400],
  ['H3: a length in hexadecimal', posting('Content-Length: 0x5'), 400],
  ['H3: an empty length', posting('Content-Length:'), 400],
  ['H3: a length of 2^64', posting('Content-Length: 18446744073709551616'), 400],
  ['H4: chunked, identity', posting('Transfer-Encoding: chunked, identity'), 400],
  ['H4: gzip', posting('Transfer-Encoding: gzip'), 400],
  ['H4: xchunked', posting('Transfer-Encoding: xchunked'), 400],
  ['H4: chunked, chunked', inChunks('0\r\n\r\n', 'Transfer-Encoding: chunked'), 400],
  ['H5: gzip, chunked', posting('Transfer-Encoding: gzip, chunked'), 400],
  ['H6: an empty Transfer-Encoding', posting('Transfer-Encoding:'), 400],
  ['H8: a space after a name', posting('Transfer-Encoding : chunked'), 400],
  ['H8: a space after Host', to('Host : localhost'), 400],
  ['H9: a chunk without a size', inChunks('zz\r\n'), 400],
  ['H9: a chunk below zero', inChunks('-1\r\n'), 400],
  ['H9: a chunk of 2^68 bytes', inChunks(`${'f'.repeat(17)}\r\n`), 400],
  ['H9: line feeds only', inChunks('2\n{}\n0\n\n'), 400],
  ['H9: a chunk that is longer than it says', inChunks('2\r\n{}{}\r\n0\r\n\r\n'), 400],
  ['H10: an extension of 20 KB', inChunks(`2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`), 413],
  ['H11: a length among the trailers', inChunks('2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n'), 400],
  ['H11: 20 KB of trailers', inChunks(`2\r\n{}\r\n0\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`), 431],
  ['H12: line feeds only', asking().replaceAll('\r\n', '\n'), 400],
  ['H12: carriage returns only', `${asking().replaceAll('\r\n', '\r')}\r\n\r\n`, 400],
  ['H12: an end that is none', asking().replace(/\r\n$/, '\rX'), 400],
  ['H12: a folded line', asking('x: a', ' b'), 400],
  ['H12: a space ahead of the first name', to(' Host: localhost'), 400],
  ['H13: a NUL in a value', asking('x: a\0b'), 400],
  ['H13: a carriage return in a value', asking('x: a\rb'), 400],
  ['H13: an empty name', asking(': a'), 400],
  ['H14: bytes that are no ASCII', asking('x: \u00ff\u00fe'), 200],
  ['H15: no Host', to(), 400],
  ['H15: no Host on HTTP/1.0', 'GET /healthz HTTP/1.0\r\n\r\n', 400],
  ['H16: two Hosts', to('Host: localhost', 'HOST: localhost'), 400],
  ['H16: an empty Host', to('Host:'), 400],
  ['H16: two Hosts in one line', to('Host: localhost, localhost'), 400],
  ['H16: a Host with a path', to('Host: localhost/x'), 400],
  ['H16: a Host with a user', to('Host: u@localhost'), 400],
  ['H16: a Host with markup', to('Host: a b/<script>'), 400],
  ['H17: a foreign Host', 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 421],
  ['H17: a probe, which comes by address', to('Host: 10.0.0.7'), 200],
  ['H18: a header of 17 KB', asking(`x: ${'x'.repeat(17_000)}`), 431],
  ['H18: a URL of 17 KB', request(`GET /${'x'.repeat(17_000)} HTTP/1.1`), 431],
  ['H19: 2,300 headers', asking(...headers(2_300)), 431],
  ['H19: 101 headers', asking(...headers(99)), 431],
  ['H19: 100 headers', asking(...headers(98)), 200],
  ['H20: a Host behind 2,300 headers', to(...headers(2_300), 'Host: localhost'), 431],
  [
    'H20: a length behind 2,300 headers',
    `${posting(...headers(2_300), 'Content-Length: 2')}{}`,
    431,
  ],
  ['H21: headers of every object', asking('__proto__: x', 'constructor: y', 'toString: z'), 200],
  ['H22: HTTP/2.0', request('GET /healthz HTTP/2.0'), 505],
  ['H22: HTTP/0.9', request('GET /healthz HTTP/0.9'), 505],
  ['H22: HTTP/1.2', request('GET /healthz HTTP/1.2'), 400],
  ['H22: HTTP/9.9', request('GET /healthz HTTP/9.9'), 400],
  ['H23: a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['H23: a greeting of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['H23: a thousand empty lines ahead', '\r\n'.repeat(1_000) + asking(), 200],
  ['H26: an address that a client made up', asking('X-Forwarded-For: 1.2.3.4, evil'), 200],
  ['H27: a thousand ranges', asking(`Range: bytes=${Array(1_000).fill('0-').join()}`), 200],
]

checkExchanges(cases)

faultTest('H7: chunks on HTTP/1.0 are 400, so that nobody reads two requests as one', (fault) => {
  const old = request('POST /process HTTP/1.0', TYPE, 'Transfer-Encoding: chunked')
  return checkExchange(fault, `${old}0\r\n\r\n`, 400)
})

faultTest('H14, H26: what a header says is in no log line', async (fault) => {
  const lines = ['X-Forwarded-For: 1.2.3.4', 'User-Agent: \u00ff\u00fe']
  await checkExchange(fault, processing('{}', TYPE, ...lines), 202)
  assert.doesNotMatch(JSON.stringify(fault.logged), /1\.2\.3\.4|\u00ff/)
})

faultTest('H23: random bytes are 400, or an end without an answer', async ({ url }) => {
  for (let i = 0; i < 20; i++) {
    const answer = await exchange(url, Buffer.concat([randomBytes(256), Buffer.from('\r\n\r\n')]))
    assert.match(answer, /^$|^HTTP\/1.1 400 /)
  }
})

faultTest(
  'H24: what comes behind the last request is none, and costs it no reply',
  async (fault) => {
    const behind = [
      request('GET /healthz HTTP/1.1'),
      'what is no HTTP\r\n\r\n',
      processing('{}', TYPE),
    ]
    for (const bytes of behind) {
      const answer = await exchange(fault.url, processing('{"a":1}', TYPE) + bytes)
      assert.match(answer, /^HTTP\/1.1 202 /)
      assert.equal(answer.match(/HTTP\/1.1 /g)?.length, 1)
    }
    assert.equal((await fault.tasks.list({ limit: 10 })).tasks.length, behind.length)
  },
)

const pipeline = request('GET /healthz HTTP/1.1').replace('Connection: close\r\n', '')

faultTest(
  'H25: a thousand requests in a pipeline, none of whose replies is read',
  async (fault) => {
    const socket = connectTcp(fault.url)
    fault.scope.after(() => socket.destroy())
    socket.write(pipeline.repeat(1_001))
    const replied = () => fault.logged.filter(({ message }) => message === 'replied').length
    await until(() => replied() >= 100) // the rest waits in the socket, or in Node
  },
)

faultTest('H25: the 1,001st request on a connection is not served', async ({ url, scope }) => {
  const socket = connectTcp(url)
  scope.after(() => socket.destroy())
  let answer = ''
  socket.on('data', (text) => {
    answer += text
  })
  socket.write(pipeline.repeat(1_001))
  await until(() => answer.includes('HTTP/1.1 503'))
  assert.equal(answer.match(/HTTP\/1.1 200/g)?.length, 1_000)
})

faultTest('H9: chunks that end in the middle add no task', async (fault) => {
  const socket = connectTcp(fault.url).resume()
  socket.end(chunked('{"a":1}').slice(0, -4))
  await once(socket, 'close')
  assert.deepEqual((await fault.tasks.list({ limit: 1 })).tasks, [])
})
