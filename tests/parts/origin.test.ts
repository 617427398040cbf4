import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { Origins } from '../../lib/origin.ts'
import { HttpError } from '../../lib/reply.ts'

const origins = new Origins({
  allowedHosts: ['localhost', '127.0.0.1', '[::1]', 'app.example.com:8443'],
  allowedOrigins: ['https://partner.example'],
})

const requestWith = (headers: Record<string, string | undefined>) =>
  ({ headers }) as unknown as IncomingMessage

const statusOf = (check: () => void): number => {
  try {
    check()
    return 200
  } catch (error) {
    return (error as HttpError).status
  }
}

const hosts: [host: string, status: number][] = [
  ['localhost', 200],
  ['localhost:8000', 200],
  ['LOCALHOST:8000', 200],
  ['[::1]:8000', 200],
  ['app.example.com:8443', 200],
  ['app.example.com', 421],
  ['app.example.com:1', 421],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
]

for (const [host, status] of hosts) {
  test(`the Host ${host}: ${status}`, () => {
    assert.equal(
      statusOf(() => origins.checkHost(requestWith({ host }))),
      status,
    )
  })
}

const pages: [
  host: string,
  origin: string | undefined,
  site: string | undefined,
  status: number,
][] = [
  ['localhost:8000', 'http://localhost:8000', 'same-origin', 200],
  ['localhost:8000', 'https://localhost:8000', undefined, 200],
  ['localhost:8000', 'http://127.0.0.1:8000', 'cross-site', 200],
  ['localhost:8000', 'https://partner.example', 'cross-site', 200],
  ['localhost', 'http://localhost', undefined, 200],
  ['localhost:80', 'http://localhost', undefined, 200],
  ['localhost:8000', undefined, undefined, 200],
  ['localhost:8000', undefined, 'same-origin', 200],
  ['localhost:8000', undefined, 'cross-site', 403],
  ['localhost:8000', 'http://localhost:9000', undefined, 403],
  ['localhost:8000', 'http://127.0.0.1:9000', undefined, 403],
  ['localhost:8000', 'http://localhost', undefined, 403],
  ['localhost:8000', 'https://evil.example', undefined, 403],
  ['localhost:8000', 'https://partner.example.evil', undefined, 403],
  ['localhost:8000', 'http://partner.example', undefined, 403],
  ['localhost:8000', 'http://LOCALHOST:8000', undefined, 403],
  ['localhost:8000', 'http://localhost:8000/', undefined, 403],
  ['localhost:8000', 'file://', undefined, 403],
  ['localhost:8000', 'null', undefined, 403],
  ['localhost:8000', '', undefined, 403],
  ['localhost:99999', 'http://localhost:8000', undefined, 403],
]

for (const [host, origin, site, status] of pages) {
  test(`a page of ${origin ?? 'no origin'} (${site ?? 'no site'}) on ${host}: ${status}`, () => {
    const request = requestWith({ host, origin, 'sec-fetch-site': site })
    assert.equal(
      statusOf(() => origins.checkOrigin(request)),
      status,
    )
  })
}

test('a refusal is an error that the client may read', () => {
  assert.throws(() => origins.checkHost(requestWith({})), HttpError)
})
