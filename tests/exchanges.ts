// Requests as bytes, and what becomes of them: for inputs that no HTTP client would send.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchange, startApp } from './helpers.ts'

export const TYPE = 'Content-Type: application/json'

/** A request with these lines, on a connection that ends with it. */
export const request = (start: string, ...lines: string[]) =>
  `${[start, 'Host: localhost', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`

export const processing = (body: string, ...lines: string[]) =>
  `${request('POST /process HTTP/1.1', `Content-Length: ${body.length}`, ...lines)}${body}`

export const chunked = (...chunks: string[]) =>
  request('POST /process HTTP/1.1', 'Transfer-Encoding: chunked', TYPE) +
  chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')

export const headers = (count: number) => Array.from({ length: count }, (_, i) => `x${i}: 1`)

/** Status 0: closed without an answer. */
export type Case = [what: string, bytes: string, status: number]

/** One test a case: the answer is right, a task was added or was not, and the server goes on. */
export function checkExchanges(cases: readonly Case[]): void {
  for (const [what, bytes, status] of cases) {
    test(`${what}: ${status || 'closed without an answer'}`, async (t) => {
      const { url, tasks } = await startApp(t)

      const answer = await exchange(url, Buffer.from(bytes, 'latin1'))

      assert.match(answer, status ? new RegExp(`^HTTP/1.1 ${status} `) : /^$/)
      if (status >= 400) {
        assert.match(answer, /content-type: application\/problem\+json/)
        const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
        assert.equal(problem.status, status)
      }
      if (status) assert.match(answer, /x-content-type-options: nosniff/)
      assert.equal((await tasks.list({ limit: 1 })).tasks.length, status === 202 ? 1 : 0)
      assert.equal((await fetch(`${url}/healthz`)).status, 200)
    })
  }
}
