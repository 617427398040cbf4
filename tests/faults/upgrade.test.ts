// Handshakes of a WebSocket that are none, half, twice or many: each refusal is a whole HTTP answer,
// and nobody is registered who is not there.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { headers } from '../exchanges.ts'
import { closeOf, framesOf, meaningOf, textOf, V1 } from '../frames.ts'
import { handshake, KEY } from '../handshake.ts'
import { connectSocket, connectTcp, exchange, statusOf, until } from '../helpers.ts'
import { as, SECRET } from '../tokens.ts'
import { checkExchange } from './exchanges.ts'
import { faultTest } from './fault.ts'

// Newer versions of Node can be asked which upgrades are wanted: any other is then a plain request.
const canAsk = 'shouldUpgradeCallback' in createServer({ shouldUpgradeCallback: () => false })

const from = (start: string) => handshake({}, `${start} HTTP/1.1`)
const offering = (list: string) => handshake({ 'Sec-WebSocket-Protocol': list })
const versioned = (version?: string) => handshake({ 'Sec-WebSocket-Version': version })
const spaces = `b${' '.repeat(15_000)}x`

function behind(count: number): string {
  const [start, ...lines] = handshake().split('\r\n')
  return [start, ...headers(count), ...lines].join('\r\n')
}

const refused: [what: string, bytes: string, status: number][] = [
  ['U1: POST', handshake({ 'Content-Length': '0' }, 'POST /ws HTTP/1.1'), 405],
  ['U1: POST with a body', `${handshake({ 'Content-Length': '2' }, 'POST /ws HTTP/1.1')}hi`, 405],
  ['U2: HTTP/1.0', handshake({}, 'GET /ws HTTP/1.0'), 400],
  ['U2: HTTP/2.0', handshake({}, 'GET /ws HTTP/2.0'), 505],
  ['U3: no Host', handshake({ Host: undefined }), 400],
  ['U3: two Hosts', handshake({ HOST: 'localhost' }), 400],
  ['U3: a Host that is none', handshake({ Host: 'u@localhost' }), 400],
  ['U4: no key', handshake({ 'Sec-WebSocket-Key': undefined }), 400],
  ['U4: a short key', handshake({ 'Sec-WebSocket-Key': 'abc' }), 400],
  ['U4: two keys', handshake({ 'sec-websocket-key': KEY }), 400],
  ['U5: no version', versioned(), 426],
  ['U5: version 12', versioned('12'), 426],
  ['U5: version 13 twice', versioned('13, 13'), 426],
  ['U5: version 13 in two headers', handshake({ 'sec-websocket-version': '13' }), 426],
  ['U5: a version of 400 digits', versioned('9'.repeat(400)), 426],
  ['U5: version 13.0', versioned('13.0'), 426],
  ['U6: version 8', versioned('8'), 426],
  ['U7: no Connection: Upgrade', handshake({ Connection: 'close' }), 426],
  ['U7: no Upgrade', handshake({ Upgrade: undefined }), 426],
  ['U8: h2c on the path of the WebSocket', handshake({ Upgrade: 'h2c' }), canAsk ? 426 : 400],
  ['U8: websocket or h2c', handshake({ Upgrade: 'websocket, h2c' }), canAsk ? 426 : 400],
  ['U8: websocket and h2c in two headers', handshake({ upgrade: 'h2c' }), canAsk ? 426 : 400],
  ['U10: another path', from('GET /other'), 404],
  ['U10: a slash after the path', from('GET /ws/'), 404],
  ['U10: two slashes before it', from('GET //ws'), 404],
  ['U10: a path that climbs', from('GET /ws/../ws'), 404],
  ['U10: a path that climbs elsewhere', from('GET /ws/../x'), 404],
  ['U10: a path that is encoded', from('GET /w%73'), 404],
  ['U10: a foreign path in full', from('GET http://evil/ws'), 404],
  ['U11: a subprotocol twice', offering('meanwhile.v1, meanwhile.v1'), 400],
  ['U11: a subprotocol with a space', offering('meanwhile.v1, a b'), 400],
  ['U11: an empty subprotocol', offering(''), 400],
  ['U11: an empty one behind ours', offering('meanwhile.v1,'), 400],
  ['U12: an unknown subprotocol alone', offering('chat'), 400],
  ['U13: 15,000 spaces in a subprotocol', offering(spaces), 400],
  ['U13: 15,000 spaces in a key', handshake({ 'Sec-WebSocket-Key': spaces }), 400],
  ['U15: a body', `${handshake({ 'Content-Length': '5' })}hello`, 400],
  ['U15: a body that does not come', handshake({ 'Content-Length': '5' }), 400],
  [
    'U15: a body of frames',
    `${handshake({ 'Content-Length': '8' })}${textOf('hi').toString('latin1')}`,
    400,
  ],
  [
    'U15: a body in chunks',
    `${handshake({ 'Transfer-Encoding': 'chunked' })}5\r\nhello\r\n0\r\n\r\n`,
    400,
  ],
  ['U16: 1,200 headers ahead of Upgrade', behind(1_200), 431],
  ['U16: 101 headers', behind(96), 431],
]

for (const [what, bytes, status] of refused) {
  faultTest(`${what}: ${status}`, async (fault) => {
    const answer = await checkExchange(fault, bytes, status)

    assert.match(answer, /^connection: (upgrade, )?close\r$/im)
    // U24: the whole of it is readable.
    const [, length] = /^content-length: (\d+)\r$/im.exec(answer)!
    assert.equal(answer.length - answer.indexOf('\r\n\r\n') - 4, Number(length))
    if (status === 426) {
      assert.match(answer, /^sec-websocket-version: 13\r$/im)
      assert.match(answer, /^upgrade: websocket\r$/im)
    }
  })
}

faultTest('U8: h2c elsewhere is served without, where Node can be asked', async ({ url }) => {
  const h2c = {
    Connection: 'Upgrade, HTTP2-Settings, close',
    Upgrade: 'h2c',
    'HTTP2-Settings': 'AA',
  }
  const answer = await exchange(url, handshake(h2c, 'GET /healthz HTTP/1.1'))
  const expected = canAsk ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 400 [\s\S]*expected Upgrade: websocket/
  assert.match(answer, expected)
})

const accepted: [what: string, lines: Record<string, string>, protocol?: string][] = [
  ['U9: Connection: keep-alive, Upgrade', { Connection: 'keep-alive, Upgrade' }],
  ['U9: Upgrade: WebSocket', { Upgrade: 'WebSocket' }],
  ['U9: connection: UPGRADE', { Connection: 'UPGRADE', Upgrade: 'WEBSOCKET' }],
  [
    'U12: several subprotocols, of which only ours is answered',
    { 'Sec-WebSocket-Protocol': 'bearer.SECRET, chat, meanwhile.v1' },
    'meanwhile.v1',
  ],
  ['U13: 15,000 spaces in an extension', { 'Sec-WebSocket-Extensions': spaces }],
  ['U14: an extension that is garbage', { 'Sec-WebSocket-Extensions': ';;=,,"' }],
  ['U14: the extension constructor', { 'Sec-WebSocket-Extensions': 'constructor; __proto__=1' }],
  ['U14: the extension deflate', { 'Sec-WebSocket-Extensions': 'permessage-deflate' }],
  ['U15: a body of nothing', { 'Content-Length': '0' }],
]

for (const [what, lines, protocol] of accepted) {
  faultTest(`${what}: 101`, async ({ url, hub }) => {
    const bytes = Buffer.concat([Buffer.from(handshake(lines)), closeOf()])
    const [head] = (await exchange(url, bytes)).split('\r\n\r\n')

    assert.match(head!, /^HTTP\/1.1 101 /)
    assert.equal(/^sec-websocket-protocol: (.*)$/im.exec(head!)?.[1], protocol)
    assert.doesNotMatch(head!, /extensions|SECRET/i)
    await until(() => hub.size === 0)
  })
}

const second: [what: string, bytes: string][] = [
  ['U15: a whole request behind the handshake', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ['U23: a second handshake on the same socket', handshake()],
]

for (const [what, bytes] of second) {
  faultTest(`${what}: one 101, then 1002`, async ({ url, hub, logged }) => {
    const answer = await exchange(url, handshake() + bytes)

    const [, frames = ''] = answer.split('\r\n\r\n')
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
    assert.deepEqual(framesOf(Buffer.from(frames, 'latin1')).map(meaningOf), [1002])
    await until(() => hub.size === 0)
    assert.equal(logged.filter(({ message }) => message === 'client connected').length, 1)
  })
}

const room = { type: 'publish', id: 1, topic: 'room:a', data: 'first' }
const more = { ...room, id: 2, data: 'second' }
const together = Buffer.concat([textOf(room), textOf(more), closeOf()])

for (const [who, env, lines, offset] of [
  ['on an open server', {}, {}, 3],
  ['with a token', { AUTH_SECRET: SECRET }, as('alice'), 3],
  ['of a stranger are not heard', { AUTH_SECRET: SECRET }, {}, 1],
] as const) {
  faultTest(
    `U17: frames in the packet of the handshake, ${who}`,
    async ({ url, hub }) => {
      const start = Buffer.from(handshake({ ...V1, ...lines }))
      const answer = await exchange(url, Buffer.concat([start, together]))

      const [head, frames = ''] = answer.split('\r\n\r\n')
      assert.equal(await hub.publish('room:a', 'last'), offset)
      if (offset === 1) return assert.match(head!, /^HTTP\/1.1 401 /)
      const came = framesOf(Buffer.from(frames, 'latin1')).map(meaningOf)
      assert.deepEqual(came, [
        '{"type":"ok","id":1,"offset":1}',
        '{"type":"ok","id":2,"offset":2}',
        1005,
      ])
    },
    { env },
  )
}

for (const [what, env, lines] of [
  ['an open server', {}, {}],
  ['one with a secret', { AUTH_SECRET: SECRET }, as('alice')],
] as const) {
  const bytes = handshake(lines)
  const env200 = { ...env, MAX_CONNECTIONS_PER_ADDRESS: '500' }

  faultTest(
    `U18: a reset in the middle of a handshake, 300 times, on ${what}`,
    async ({ url, hub, scope }) => {
      for (let n = 0; n < 100; n++) {
        for (const part of [bytes.slice(0, n), bytes, bytes]) {
          const socket = connectTcp(url)
          await once(socket, 'connect')
          socket.write(part)
          if (part === bytes && n % 2) await once(socket, 'data') // or behind the answer
          socket.resetAndDestroy()
        }
      }

      await connectSocket(scope, url, { headers: lines })
      await until(() => hub.size === 1)
    },
    { env: env200 },
  )
}

faultTest('U21: of 1,000 handshakes from one address 50 get in, the rest 429', async (fault) => {
  const { url, hub, scope } = fault
  const statuses = new Map<string, number>()
  const sockets = []
  for (let batch = 0; batch < 10; batch++) {
    const batchOf100 = Array.from({ length: 100 }, () => connectTcp(url))
    sockets.push(...batchOf100)
    for (const socket of batchOf100) socket.write(handshake())
    const answers = await Promise.all(batchOf100.map((socket) => once(socket, 'data')))
    for (const [answer] of answers) {
      const [, status = ''] = /^HTTP\/1.1 (\d+)/.exec(answer)!
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === '429') assert.match(String(answer), /^retry-after: 1\r$/im)
    }
  }

  assert.deepEqual(
    [...statuses],
    [
      ['101', 50],
      ['429', 950],
    ],
  )
  assert.equal(hub.size, 50)
  for (const socket of sockets) socket.destroy()
  await until(() => hub.size === 0)
  await connectSocket(scope, url)
})

faultTest('U24: a refusal is readable with 1 MB behind the handshake', async ({ url }) => {
  const bytes = Buffer.concat([Buffer.from(from('GET /other')), Buffer.alloc(1_000_000)])
  for (let n = 0; n < 10; n++) assert.equal(await statusOf(url, bytes), 404)
})
