// Bytes made wrong: what is valid becomes what no client would send. A mutation is data, so that a
// failing case can be made smaller and replayed.

import fc from 'fast-check'

export interface Mutation {
  readonly kind: keyof typeof KINDS
  /** Where: of 10,000. */
  readonly at: number
  readonly length: number
  /** One byte a character. */
  readonly text: string
}

const MOST = 200_000 // bytes

const SPECIAL = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\0',
    '\xff',
    ' ',
    '\t',
    ':',
    ',',
    ';',
    '%',
    '%00',
    '"',
    '\\',
  ],
  ...[
    '\xc0\xaf',
    '\xed\xa0\x80',
    '\xe2\x82',
    '\xef\xbb\xbf',
    '\x7f',
    '\x1b[2J',
    '\u0085',
    '/',
    '//',
  ],
  ...[
    '..',
    '?',
    '#',
    '&',
    '=',
    '[',
    '{',
    '}',
    ']',
    '-',
    '+',
    '0x',
    '\\u0000',
    '\\ud800',
    '__proto__',
  ],
]

/** Lines that change what an HTTP message is. */
const LINES = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 99999999999999999999',
  'Content-Encoding: gzip',
  'Connection: close',
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: 200-maybe',
  'Host: localhost',
  'Host: a, b',
  'Origin: null',
  'Authorization: Bearer x',
  'Idempotency-Key: \xe4',
  'X-Request-Id: a b',
  'Range: bytes=0-,0-',
  'Trailer: Host',
  ' folded',
  ': empty',
  '__proto__: 1',
]

const NUMBERS = [
  ...[
    '0',
    '-0',
    '-1',
    '1',
    '00',
    '1e999',
    '-1e999',
    '1e-999',
    '0.1',
    '2.',
    '.5',
    '1e20',
    '+5',
    '0x10',
  ],
  ...['125', '126', '127', '128', '255', '256', '32767', '65535', '65536', '2147483648'],
  ...[
    '4294967296',
    '9007199254740993',
    '18446744073709551616',
    'NaN',
    'null',
    `1${'0'.repeat(400)}`,
  ],
]

const KINDS = {
  flip: (bytes: Buffer, at: number, { length }: Mutation) => {
    const copy = Buffer.from(bytes)
    if (at < copy.length) copy[at]! ^= 1 << (length % 8)
    return copy
  },
  overwrite: (bytes: Buffer, at: number, { text }: Mutation) => {
    const piece = Buffer.from(text, 'latin1')
    return splice(bytes, at, piece.length, piece)
  },
  insert: (bytes: Buffer, at: number, { text }: Mutation) =>
    splice(bytes, at, 0, Buffer.from(text, 'latin1')),
  fill: (bytes: Buffer, at: number, { text, length }: Mutation) =>
    splice(bytes, at, 0, Buffer.alloc(length * 8, text.slice(0, 4) || 'x', 'latin1')),
  nest: (bytes: Buffer, at: number, { text, length }: Mutation) =>
    splice(bytes, at, 0, Buffer.from((text.length % 2 ? '[' : '{"a":').repeat(length))),
  cut: (bytes: Buffer, at: number, { length }: Mutation) => splice(bytes, at, 1 + (length % 64)),
  end: (bytes: Buffer, at: number) => bytes.subarray(0, at),
  double: (bytes: Buffer, at: number, { length }: Mutation) =>
    splice(bytes, at, 0, bytes.subarray(at, at + 1 + length)),
  swap: (bytes: Buffer, at: number, { length }: Mutation) => {
    const size = 1 + (length % 64)
    const [one, two] = [bytes.subarray(at, at + size), bytes.subarray(at + size, at + 2 * size)]
    return splice(bytes, at, one.length + two.length, Buffer.concat([two, one]))
  },
  number: (bytes: Buffer, at: number, { length }: Mutation) =>
    replaceFrom(bytes, at, /\d+/g, () => NUMBERS[length % NUMBERS.length]!),
  case: (bytes: Buffer, at: number) =>
    replaceFrom(bytes, at, /[a-z]+/gi, (word) =>
      word === word.toUpperCase() ? word.toLowerCase() : word.toUpperCase(),
    ),
  line: (bytes: Buffer, at: number, { length }: Mutation) =>
    replaceFrom(bytes, at, /\r\n/g, () => `\r\n${LINES[length % LINES.length]}\r\n`),
  lineTwice: (bytes: Buffer, at: number) =>
    replaceFrom(bytes, at, /\r\n[^\r\n]+(?=\r\n)/g, (line) => line + line),
  lineGone: (bytes: Buffer, at: number) =>
    replaceFrom(bytes, at, /\r\n[^\r\n]+(?=\r\n)/g, () => ''),
}

export function mutate(bytes: Buffer, mutations: readonly Mutation[]): Buffer {
  return mutations.reduce((before, mutation) => {
    const at = Math.floor((before.length * mutation.at) / 10_000)
    return KINDS[mutation.kind](before, at, mutation).subarray(0, MOST)
  }, bytes)
}

/** From none to `most`. */
export function mutations(most: number): fc.Arbitrary<Mutation[]> {
  return fc.array(mutation, { maxLength: most, size: 'max' })
}

const text = fc.oneof(
  { arbitrary: fc.constantFrom(...SPECIAL), weight: 3 },
  { arbitrary: fc.string({ maxLength: 8, unit: latin1() }), weight: 1 },
)

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(...(Object.keys(KINDS) as Mutation['kind'][])),
  at: fc.nat(10_000),
  length: fc.oneof({ arbitrary: fc.nat(64), weight: 8 }, { arbitrary: fc.nat(3_000), weight: 1 }),
  text,
})

function latin1(): fc.Arbitrary<string> {
  return fc.nat(255).map((code) => String.fromCharCode(code))
}

function splice(
  bytes: Buffer,
  at: number,
  length: number,
  piece: Buffer = Buffer.alloc(0),
): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + length)])
}

// The first match at or behind the place, or else the first of all.
function replaceFrom(
  bytes: Buffer,
  at: number,
  pattern: RegExp,
  replacement: (match: string) => string,
): Buffer {
  const matches = [...bytes.toString('latin1').matchAll(pattern)]
  const match = matches.find(({ index }) => index >= at) ?? matches[0]
  if (!match) return bytes
  const piece = Buffer.from(replacement(match[0]), 'latin1')
  return splice(bytes, match.index, match[0].length, piece)
}
