// What a server says on a connection, as bytes: whole answers, each one well-formed.

import assert from 'node:assert/strict'

export interface Answer {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

const HEAD_END = '\r\n\r\n'

/** All final answers in order, and what stands behind the last one (all that follows a 101). */
export function answersIn(bytes: Buffer): { answers: Answer[]; rest: Buffer } {
  const answers: Answer[] = []
  let rest = bytes
  for (;;) {
    const end = rest.indexOf(HEAD_END)
    if (end < 0) return { answers, rest }
    const [start = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) [\w '-]+$/.exec(start)?.[1])
    assert.ok(status, `expected a status line, got ${JSON.stringify(start)}`)
    const headers = new Map(lines.map(fieldOf))
    const behind = rest.subarray(end + HEAD_END.length)
    const length = lengthOf(status, headers, behind)
    if (behind.length < length) return { answers, rest }
    if (status !== 100) answers.push({ status, headers, body: behind.subarray(0, length) })
    rest = behind.subarray(length)
    if (status === 101) return { answers, rest }
  }
}

function fieldOf(line: string): [name: string, value: string] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
  const [, name, value] = /^([\w-]+): ([^\0-\x08\x0a-\x1f\x7f]*)$/.exec(line) ?? []
  assert.ok(name !== undefined && value !== undefined, `not a header: ${JSON.stringify(line)}`)
  return [name.toLowerCase(), value]
}

// An answer to HEAD has a length and no body. The bytes alone do not say which one that is: but no body
// of this server begins like an answer. To HTTP/1.0 the end of the connection is the end of the body.
function lengthOf(status: number, headers: Answer['headers'], behind: Buffer): number {
  if (status < 200 || status === 204) return 0
  const text = headers.get('content-length')
  if (text === undefined && isLast(headers)) return behind.length
  assert.match(text ?? 'none', /^\d+$/, `Content-Length of a ${status}`)
  const isHead = behind.length === 0 || behind.toString('latin1', 0, 9) === 'HTTP/1.1 '
  return isHead ? 0 : Number(text)
}

/** Whether the server closes behind it. */
export function isLast(headers: Answer['headers']): boolean {
  return /\bclose$/.test(headers.get('connection') ?? '')
}

/** Every status that this server may answer with while it is well. */
const KNOWN = new Set([
  ...[101, 200, 202, 204, 400, 401, 403, 404, 405, 409, 410, 413, 415, 417, 421, 422, 426, 431],
  505,
])

/** A header that comes with a status. */
const COMPANIONS: Readonly<Record<number, [name: string, pattern: RegExp]>> = {
  101: ['sec-websocket-accept', /^[+/\w]{27}=$/],
  202: ['content-type', /^application\/json/],
  204: ['allow', /OPTIONS/],
  401: ['www-authenticate', /^Bearer/],
  405: ['allow', /^[A-Z, ]+$/],
  413: ['connection', /^close$/],
  426: ['connection', /^upgrade, close$/],
}

/** Throws for an answer that is not as it should be, whatever it answers to. */
export function checkAnswer({ status, headers, body }: Answer): void {
  assert.ok(KNOWN.has(status), `a status that should not be: ${status} ${body}`)
  const [name, pattern] = COMPANIONS[status] ?? []
  if (name) assert.match(headers.get(name) ?? 'missing', pattern!, `${name} of a ${status}`)
  if (status === 101) return
  assert.equal(headers.get('x-content-type-options'), 'nosniff', `nosniff of a ${status}`)
  const type = headers.get('content-type')
  if (status >= 400) assert.equal(type, 'application/problem+json', `the type of a ${status}`)
  if (body.length === 0 || !type?.includes('json')) return // or to HEAD
  const value = JSON.parse(body.toString())
  if (status < 400) return
  assert.equal(value.status, status)
  assert.equal(typeof value.detail, 'string')
  for (const { pointer } of value.errors ?? []) assert.equal(typeof pointer, 'string')
}
