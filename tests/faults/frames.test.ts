// Frames against the RFC, at its edges, and out of time: what a client may send that no library would.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { deflateRawSync } from 'node:zlib'
import {
  clientFrame,
  closeOf,
  connectRaw,
  FIN,
  fragment,
  meaningOf,
  OPCODE,
  talk,
  textOf,
  V1,
} from '../frames.ts'
import { connectSocket, until } from '../helpers.ts'
import { SECRET, tokenOf } from '../tokens.ts'
import { faultTest } from './fault.ts'

const { continuation, text, binary, close, ping, pong } = OPCODE
const [RSV1, RSV2, RSV3] = [0x40, 0x20, 0x10]
const MAX_FRAME = 65_536

const ECHO = 'You said: '
const hi = textOf('hi')
const bytes = (...values: number[]) => Buffer.from(values)
const repeat = (count: number, frame: Buffer) => Array.from({ length: count }, () => frame)
const hex = (code: number) => code.toString(16).toUpperCase()

/** What comes, and what is answered: texts, pongs, and the code of the close. */
type Case = [what: string, frames: Buffer[], ...answers: (string | number)[]]

const cases: Case[] = [
  ['F1: text without a mask', [bytes(0x81, 2, 0x68, 0x69)], 1002],
  ['F1: a ping without a mask', [bytes(0x89, 0)], 1002],
  ['F1: a close without a mask', [bytes(0x88, 0)], 1002],

  ['F2: the reserved bit 1', [clientFrame(FIN | RSV1 | text, 'hi')], 1002],
  ['F2: the reserved bit 2', [clientFrame(FIN | RSV2 | text, 'hi')], 1002],
  ['F2: the reserved bit 3', [clientFrame(FIN | RSV3 | text, 'hi')], 1002],
  ['F2: a reserved bit on a ping', [clientFrame(FIN | RSV1 | ping)], 1002],
  ['F2: a reserved bit on a continuation', [fragment(text), clientFrame(FIN | RSV1)], 1002],

  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode): Case => [`F3: the opcode ${hex(opcode)}`, [clientFrame(FIN | opcode)], 1002],
  ),

  ['F4: a continuation of nothing', [clientFrame(FIN | continuation, 'hi')], 1002],
  ['F4: a fragment of nothing', [fragment(continuation, 'hi')], 1002],
  ['F4: a new text in the middle of one in fragments', [fragment(text, 'a'), hi], 1002],
  ['F4: a new fragment in the middle', [fragment(text, 'a'), fragment(text, 'b')], 1002],
  ['F4: bytes in the middle', [fragment(text, 'a'), clientFrame(FIN | binary, 'b')], 1002],
  ['F4: a continuation after the end', [hi, clientFrame(FIN, 'x')], `${ECHO}hi`, 1002],

  ['F5: a ping in fragments', [fragment(ping)], 1002],
  ['F5: a pong in fragments', [fragment(pong)], 1002],
  ['F5: a close in fragments', [fragment(close)], 1002],
  ['F5: a ping of 126 bytes', [clientFrame(FIN | ping, 'x'.repeat(126))], 1002],
  ['F5: a close of 126 bytes', [closeOf(1000, 'x'.repeat(124))], 1002],

  [
    'F6: a ping between fragments',
    [fragment(text, 'h'), clientFrame(FIN | ping, 'p'), clientFrame(FIN, 'i'), closeOf()],
    'pong p',
    `${ECHO}hi`,
    1005,
  ],
  ['F6: a close between fragments', [fragment(text, 'h'), closeOf(1000)], 1000],
  ['F7: a pong that nobody asked for', [clientFrame(FIN | pong, 'p'), closeOf()], 1005],

  ['F8: a close without a code', [closeOf()], 1005],
  ['F8: a close with 1000', [closeOf(1000)], 1000],
  ['F8: a close with 3000', [closeOf(3000)], 3000],
  ['F8: a close with 4999 and a reason', [closeOf(4999, 'bye €')], 4999],

  ['F9: a close of one byte', [clientFrame(FIN | close, '\u0003')], 1002],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
    (code): Case => [`F9: a close with ${code}`, [closeOf(code)], 1002],
  ),
  ['F10: a close with a reason that is no UTF-8', [closeOf(1000, bytes(0xff))], 1007],
  ['F11: text behind a close', [hi, closeOf(1000), hi, hi], `${ECHO}hi`, 1000],
  ['F11: a second close', [closeOf(1000), closeOf(3000)], 1000],

  ['F12: the byte FF as text', [clientFrame(FIN | text, bytes(0xff))], 1007],
  ['F12: half a surrogate pair', [clientFrame(FIN | text, bytes(0xed, 0xa0, 0x80))], 1007],
  ['F12: an overlong slash', [clientFrame(FIN | text, bytes(0xc0, 0xaf))], 1007],
  ['F12: a character cut off', [clientFrame(FIN | text, bytes(0xe2, 0x82))], 1007],
  [
    'F12: a character cut in two fragments, which is right',
    [fragment(text, bytes(0xe2, 0x82)), clientFrame(FIN, bytes(0xac)), closeOf()],
    `${ECHO}€`,
    1005,
  ],

  ['F14: a length of 2^63', [clientFrame(FIN | text, '', 2n ** 63n)], 1009],
  ['F14: a length of 2^64 - 1', [clientFrame(FIN | text, '', 2n ** 64n - 1n)], 1009],
  ['F14: a length of 2^53', [clientFrame(FIN | text, '', 2n ** 53n)], 1009],
  ['F15: 65,537 bytes announced, none sent', [clientFrame(FIN | text, '', MAX_FRAME + 1)], 1009],
  [
    'F15: 65,536 bytes, which is right',
    [textOf('x'.repeat(MAX_FRAME)), closeOf()],
    ECHO + 'x'.repeat(MAX_FRAME),
    1005,
  ],
  [
    'F16: fragments of 65,537 bytes in all',
    [fragment(text, 'x'.repeat(MAX_FRAME)), clientFrame(FIN, 'x')],
    1009,
  ],
  [
    'F16: many fragments of 65,537 bytes in all, without an end',
    [fragment(text, 'x'), ...repeat(16, fragment(continuation, 'x'.repeat(MAX_FRAME / 16)))],
    1009,
  ],
  [
    'F17: 64 fragments, which is right',
    [fragment(text, 'x'), ...repeat(62, fragment(continuation, 'x')), clientFrame(FIN), closeOf()],
    ECHO + 'x'.repeat(63),
    1005,
  ],
  ['F17: 65 fragments', [fragment(text, 'x'), ...repeat(64, fragment(continuation, 'x'))], 1008],
  ['F18: 70 empty continuations', [fragment(text), ...repeat(70, fragment(continuation))], 1008],

  [
    'F19: a length of 2 in three bytes',
    [bytes(0x81, 0xfe, 0, 2, 0, 0, 0, 0), Buffer.from('hi'), closeOf()],
    `${ECHO}hi`,
    1005,
  ],
  [
    'F19: a length of 2 in nine bytes',
    [bytes(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0), Buffer.from('hi'), closeOf()],
    `${ECHO}hi`,
    1005,
  ],

  ['F23: an HTTP request', [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')], 1002],
]

for (const [what, frames, ...answers] of cases) {
  const code = answers.at(-1)
  const title = code === 1005 ? 'answered' : `closes with ${code}`
  faultTest(`${what}: ${title}`, async ({ url, hub }) => {
    const came = await talk(url, Buffer.concat(frames))

    assert.deepEqual(came.map(meaningOf), answers)
    await until(() => hub.size === 0)
  })
}

faultTest('F11: what is published behind a close is not heard', async ({ url, hub }) => {
  const late = { type: 'publish', id: 1, topic: 'room:a', data: 'late' }

  const came = await talk(url, Buffer.concat([closeOf(1000), textOf(late)]), V1)

  assert.deepEqual(came.map(meaningOf), [1000])
  assert.equal(await hub.publish('room:a', 'first'), 1)
})

faultTest('F13: no UTF-8 in a fragment is 1007 at the end of the message', async (fault) => {
  const socket = await connectRaw(fault.scope, fault.url)
  const next = async () => (await once(socket, 'data'))[0] as Buffer

  socket.write(fragment(text, bytes(0xff)))
  socket.write(clientFrame(FIN | ping, 'still there'))
  assert.deepEqual(await next(), Buffer.concat([bytes(0x8a, 11), Buffer.from('still there')]))
  socket.write(clientFrame(FIN))

  assert.deepEqual(await next(), bytes(0x88, 2, 1007 >> 8, 1007 & 0xff))
})

const SLOW = { HEARTBEAT_SECONDS: '0.2' }

faultTest(
  'F20: a header that comes byte by byte is no sign of life, and is cut within two heartbeats',
  async ({ url, hub, scope }) => {
    const socket = await connectRaw(scope, url)
    const header = [...clientFrame(FIN | text, '', MAX_FRAME)]
    const send = () => socket.write(bytes(header.shift()!))
    let pings = 0
    socket.on('data', () => {
      pings++
      send()
    })

    send()
    await once(socket, 'close')

    assert.equal(pings, 1)
    assert.equal(hub.size, 0)
  },
  { env: SLOW },
)

faultTest('F20: a message in more than 256 bits and pieces closes with 1008', async (fault) => {
  const socket = (await connectRaw(fault.scope, fault.url)).setNoDelay()
  const answered = once(socket, 'data')
  let isClosed = false
  socket.once('end', () => {
    isClosed = true
  })

  socket.write(clientFrame(FIN | text, '', MAX_FRAME))
  for (let sent = 0; sent < MAX_FRAME - 1 && !isClosed; sent++) {
    socket.write('x')
    await turn()
  }

  const [answer] = await answered
  assert.deepEqual(answer, bytes(0x88, 2, 1008 >> 8, 1008 & 0xff))
})

for (const [what, leave] of [
  ['FIN', 'end'],
  ['RST', 'resetAndDestroy'],
] as const) {
  faultTest(
    `F21: half a frame, then ${what}: gone with 1006, also from its room`,
    async (fault) => {
      const { url, scope, logged } = fault
      const alice = await connectSocket(scope, url, { user: 'alice' })
      await alice.ask({ type: 'subscribe', topic: 'room:a' })
      const bob = await connectRaw(scope, url, { query: '?user=bob' })
      bob.write(textOf({ type: 'subscribe', id: 1, topic: 'room:a' }))
      await once(bob, 'data')

      bob.write(textOf('half of it').subarray(0, 10))
      bob[leave]()

      while (!(await alice.nextOf('presence')).left.includes('bob'));
      const { code } = logged.find(
        (line) => line.message === 'client disconnected' && line.user === 'bob',
      )
      assert.equal(code, 1006)
    },
  )
}

faultTest(
  'F21: a FIN of one that reads nothing does not keep it there, not even when its token expires',
  async ({ url, hub, scope }) => {
    const expiry = Date.now() + 1_000
    const token = tokenOf('bob', { exp: expiry / 1_000 })
    const socket = await connectRaw(scope, url, { query: `?token=${token}` })
    socket.write(textOf({ type: 'subscribe', id: 1, topic: 'room:a' }))
    await once(socket, 'data')
    socket.pause()
    for (let n = 0; n < 300; n++) await hub.publish('room:a', 'x'.repeat(60_000)) // 18 MB

    socket.end()

    await until(() => hub.size === 0)
  },
  // It expires between the first heartbeat after the FIN and the second.
  { env: { HEARTBEAT_SECONDS: '1', AUTH_SECRET: SECRET, MAX_UNSENT: String(64 * 1_048_576) } },
)

const pings = (count: number) =>
  Buffer.concat(repeat(count, clientFrame(FIN | ping, 'x'.repeat(125))))

faultTest(
  'F22: a flood of pings that reads nothing is closed with 1008, and cut',
  async (fault) => {
    const { url, hub, scope, logged } = fault
    const socket = await connectRaw(scope, url)
    socket.pause()

    for (let n = 0; n < 10; n++) socket.write(pings(2_000)) // and never an answer to the close

    await until(() => hub.size === 0)
    const { code } = logged.find(({ message }) => message === 'client disconnected')
    assert.equal(code, 1008)
  },
)

faultTest(
  'F22: where the rate allows it, it is cut when 60 pongs wait',
  async ({ url, hub, scope }) => {
    const socket = await connectRaw(scope, url)
    socket.pause()
    const some = pings(2_000)
    await until(() => {
      if (!socket.writableNeedDrain) socket.write(some)
      return hub.size === 0
    })
  },
  { env: { MESSAGE_RATE: '1000000', MESSAGE_BURST: '1000000' } },
)

faultTest('F24: deflate is not agreed to, and a bomb closes with 1002', async ({ url }) => {
  const bomb = deflateRawSync(Buffer.alloc(50_000_000))
  const lines = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
  const came = await talk(url, clientFrame(FIN | RSV1 | text, bomb), lines)
  assert.deepEqual(came.map(meaningOf), [1002])
})
