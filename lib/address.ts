// Who is at the other end: the peer's address, or behind a trusted proxy the one that it names.

import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/**
 * A set of addresses and networks: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`.
 * Throws a `RangeError` for an entry that is neither.
 */
export function addressSet(entries: readonly string[]): BlockList {
  const set = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix = isIP(entry) === 6 ? '128' : '32'] = entry.split(/\/(.*)/s)
    if (!isIP(address) || !/^\d{1,3}$/.test(prefix)) throw new RangeError(entry)
    set.addSubnet(address, Number(prefix), family(address)) // throws for a prefix that is too long
  }
  return set
}

/** Whether the address means this machine itself. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && LOOPBACK.check(address, family(address))
}

/**
 * The client's address: the peer's, and where that is a trusted proxy, the right-most one of
 * `X-Forwarded-For` that is not. What stands left of it is the client's own word.
 */
export function clientAddress(req: IncomingMessage, trusted: BlockList): string {
  let client = plain(req.socket.remoteAddress ?? '')
  const forwarded = String(req.headers['x-forwarded-for'] ?? '').split(',')
  while (isIP(client) && trusted.check(client, family(client))) {
    const next = plain(forwarded.pop()?.trim() ?? '')
    if (!isIP(next)) break
    client = next
  }
  return client
}

const LOOPBACK = addressSet(['127.0.0.0/8', '::1'])

// An IPv4 client of a socket that listens on IPv6.
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '')
}

function family(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4'
}
