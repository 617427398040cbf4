// Tables of bytes that no HTTP client would send, and what becomes of each.

import assert from 'node:assert/strict'
import { exchange } from '../helpers.ts'
import { type Fault, faultTest } from './fault.ts'

/** Status 0: closed without an answer. The text begins with the row's name. */
export type Case = [what: string, bytes: string, status: number]

/** One test a case: the answer is right, and a task was added or was not. */
export function checkExchanges(cases: readonly Case[], env: NodeJS.ProcessEnv = {}): void {
  for (const [what, bytes, status] of cases) {
    const title = `${what}: ${status || 'closed without an answer'}`
    faultTest(title, (fault) => checkExchange(fault, bytes, status), { env })
  }
}

/** Bytes as they are, one a character (latin1). Returns the whole answer. */
export async function checkExchange(
  { url, tasks }: Fault,
  bytes: string,
  status: number,
): Promise<string> {
  const answer = await exchange(url, Buffer.from(bytes, 'latin1'))

  assert.match(answer, status ? new RegExp(`^HTTP/1.1 ${status} `) : /^$/)
  if (status) assert.match(answer, /x-content-type-options: nosniff/)
  if (status >= 400) {
    assert.match(answer, /content-type: application\/problem\+json/)
    const problem = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    assert.equal(problem.status, status)
  }
  const { tasks: added } = await tasks.list({ limit: 2 })
  assert.equal(added.length, status === 202 ? 1 : 0)
  return answer
}
