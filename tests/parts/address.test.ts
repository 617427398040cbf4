import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { addressSet, clientAddress, isLoopback } from '../../lib/address.ts'

const cases: [what: string, peer: string, forwarded: string | undefined, address: string][] = [
  ['a peer that nobody trusts', '203.0.113.9', '10.1.1.1', '203.0.113.9'],
  ['a trusted peer that names nobody', '10.0.0.1', undefined, '10.0.0.1'],
  ['the client of a trusted proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['what a client claims left of itself', '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
  ['a chain of trusted proxies', '10.0.0.1', '203.0.113.9, 10.0.0.3, 10.0.0.2', '203.0.113.9'],
  ['trusted ones only', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
  ['garbage from a trusted proxy', '10.0.0.1', '203.0.113.9, garbage', '10.0.0.1'],
  ['IPv4 in IPv6', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ['IPv6', 'fd00::1', '2001:db8::7', '2001:db8::7'],
]

for (const [what, peer, forwarded, address] of cases) {
  test(`the client's address: ${what}`, () => {
    const req = { socket: { remoteAddress: peer }, headers: { 'x-forwarded-for': forwarded } }
    const trusted = addressSet(['10.0.0.0/8', 'fd00::/8'])
    assert.equal(clientAddress(req as unknown as IncomingMessage, trusted), address)
  })
}

for (const entry of ['example.com', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '::/129', '']) {
  test(`"${entry}" is no set of addresses`, () => {
    assert.throws(() => addressSet([entry]), RangeError)
  })
}

test('this machine is 127.0.0.0/8 and ::1', () => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1']) assert.ok(isLoopback(address))
  for (const address of ['10.0.0.1', '0.0.0.0', '::', 'localhost']) assert.ok(!isLoopback(address))
})
