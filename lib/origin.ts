// Which names this server answers to, and which pages may talk to it.
// The Host stops DNS rebinding: a foreign name that was made to point here. The Origin stops foreign
// pages: a browser lets them send a POST and open a WebSocket without asking.

import type { IncomingMessage } from 'node:http'
import { HttpError } from './reply.ts'

export interface OriginRules {
  /** Names, with a port or for any port: `localhost`, `[::1]`, `example.com:8443`. */
  readonly allowedHosts: readonly string[]
  /** Whole origins: `https://app.example.com`. */
  readonly allowedOrigins: readonly string[]
}

export class Origins {
  readonly #hosts: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  #lastOurs: string | undefined // most requests come to the same name

  constructor({ allowedHosts, allowedOrigins }: OriginRules) {
    this.#hosts = new Set(allowedHosts.map((host) => host.toLowerCase()))
    this.#origins = new Set(allowedOrigins)
  }

  /** Throws a 421 if the request is for another server. */
  checkHost({ headers }: IncomingMessage): void {
    const { host = '' } = headers
    if (host === this.#lastOurs) return
    if (this.#isOurs(host)) {
      this.#lastOurs = host
      return
    }
    throw new HttpError(421, 'this server does not answer to that Host: see ALLOWED_HOSTS')
  }

  /** Throws a 403 if a page that is not ours sent the request. */
  checkOrigin({ headers }: IncomingMessage): void {
    const { host = '', origin } = headers
    const isForeign =
      origin === undefined
        ? headers['sec-fetch-site'] === 'cross-site'
        : !this.#isAllowed(origin, host)
    if (!isForeign) return
    throw new HttpError(403, 'a page of another origin may not do this: see ALLOWED_ORIGINS')
  }

  #isOurs(host: string): boolean {
    const name = host.toLowerCase()
    return this.#hosts.has(name) || this.#hosts.has(name.replace(/:\d+$/, ''))
  }

  // Browsers write an origin in one way only, so an unusual spelling is no browser's.
  #isAllowed(origin: string, host: string): boolean {
    if (this.#origins.has(origin)) return true
    if (!URL.canParse(origin)) return false
    const url = new URL(origin)
    if (url.origin !== origin) return false
    if (!URL.canParse(`${url.protocol}//${host}`)) return false
    const own = new URL(`${url.protocol}//${host}`)
    return url.host === own.host || (url.port === own.port && this.#isOurs(url.host))
  }
}
