// Who this page is, and its two ways to the server: requests, and one socket. Both are told to the
// timeline. A token stays in memory: it goes as a header, and as a subprotocol of the socket.

import { Client } from './client.js'

/** @typedef {import('./client.js').Listener} Listener */

const LOST = 'No answer: the server can’t be reached.'
const NAME = /^[A-Za-z0-9._@-]{1,64}$/

export class Session {
  user = whoAmI()
  /** Without AUTH_SECRET: nobody proves who they are, and the demo’s switches work. */
  isOpen = true
  /** Hears that the server wants another token. @type {(why: string) => void} */
  onRefused = () => {}
  /** @type {Client | undefined} */
  #client
  #token = ''
  /** The server takes its token no longer. */
  isRefused = false
  #lanes

  /** @param {Lanes} lanes */
  constructor(lanes) {
    this.#lanes = lanes
  }

  /** Whether the server lets this page in. Resolves to what is wrong, if anything.
   * @param {string} [token] */
  async knock(token) {
    const { isOk, status, problem } = await this.fetch('GET', '/tasks?limit=1', { token })
    if (status === 401) this.isOpen = false
    return isOk ? '' : problem
  }

  /** Tries this token, and keeps it if the server takes it. Resolves to what is wrong, if anything.
   * @param {string} token */
  async logIn(token) {
    const user = userOf(token)
    if (!user) return 'That is no token.'
    const isOther = this.#client && user !== this.user
    if (isOther) return `This page is ${this.user}’s. Reload it to be ${user}.`
    const problem = await this.knock(token)
    if (problem) return problem
    this.#token = token // not before: the socket connects with it whenever it likes to
    this.isRefused = false
    this.user = user
    this.#client?.wake()
    return ''
  }

  /** Connects the socket. @param {Required<import('./client.js').Options>['onStatus']} onStatus */
  connect(onStatus) {
    const token = () => this.#goodToken()
    this.#client = new Client(this.#socketUrl, {
      ...(this.isOpen ? {} : { token }),
      onStatus: (...status) => {
        // Why a socket was refused, a browser does not tell: the answer to a request does.
        if (status[0] === 'waiting' && !this.isRefused) this.knock()
        onStatus(...status)
      },
    })
  }

  /** Tries again at once to connect. */
  wake() {
    this.#client?.wake()
  }

  /** @param {string} topic @param {Listener} listener */
  subscribe(topic, listener) {
    const tick = () => this.#lanes.tick(false)
    return this.#connected.subscribe(topic, {
      ...listener,
      onMessage: (message) => {
        tick()
        listener.onMessage(message)
      },
      onPresence: (change) => {
        tick()
        listener.onPresence?.(change)
      },
    })
  }

  /** A message that counts: an action on the timeline, from here to the server’s answer.
   * @param {string} topic @param {unknown} data */
  async publish(topic, data) {
    const sent = this.#lanes.call(this.#lanes.act(`Message to ${topic}`), `publish ${topic}`)
    this.#lanes.tick(true)
    try {
      await this.#connected.publish(topic, data)
      this.#lanes.answered(sent, 200)
    } catch (error) {
      this.#lanes.answered(sent, 0)
      throw error
    }
  }

  /** A message that counts at this moment only. @param {string} topic @param {unknown} data */
  hint(topic, data) {
    this.#connected.publish(topic, data, { transient: true }).catch(() => {}) // the next one will do
  }

  /** A request that is drawn on the timeline. @param {Action} action @param {string} method
   * @param {string} path @param {CallOptions & { body?: string }} [options] */
  async call(action, method, path, { body, ...lane } = {}) {
    const sent = this.#lanes.call(action, `${method} ${path}`, lane)
    const answered = (/** @type {Response | undefined} */ response) => {
      const id = response?.headers.get('location')?.match(/^\/tasks\/(.+)/)?.[1]
      this.#lanes.answered(sent, response?.status ?? 0, id ?? lane.ofTask)
    }
    return this.fetch(method, path, { body, answered })
  }

  /** A request. Never rejects: what went wrong is in words in `problem`. @param {string} method
   * @param {string} path @param {FetchOptions} [options] @returns {Promise<Reply>} */
  async fetch(method, path, { body, answered = () => {}, token = this.#token } = {}) {
    /** @type {Record<string, string>} */
    const headers = token ? { authorization: `Bearer ${token}` } : {}
    if (body !== undefined) headers['content-type'] = 'application/json'
    const request = { method, headers, body: body ?? null }
    const response = await fetch(this.#address(path), request).catch(() => undefined)
    answered(response)
    if (!response) return { isOk: false, status: 0, data: null, problem: LOST }
    const { status, ok: isOk } = response
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const data = await (isJson ? response.json() : response.blob()).catch(() => undefined)
    if (data === undefined) return { isOk: false, status, data, problem: LOST } // it broke off
    if (status === 401 && this.#client && token === this.#token) this.#refuse()
    return { isOk, status, data, problem: isOk ? '' : problemOf(response, data) }
  }

  /** The address of a plain socket: that can’t carry a token, so there is a ticket in it, good once. */
  async echoUrl() {
    const url = this.#socketUrl
    if (this.isOpen) return url
    const { isOk, data, problem } = await this.fetch('POST', '/ticket')
    if (!isOk) throw new Error(problem)
    url.searchParams.set('ticket', data.ticket)
    return url
  }

  get #connected() {
    if (!this.#client) throw new Error('expected to be connected')
    return this.#client
  }

  get #socketUrl() {
    return new URL(this.#address('/ws'), location.href.replace(/^http/, 'ws'))
  }

  // On an open server the address says who asks.
  /** @param {string} path */
  #address(path) {
    if (!this.isOpen) return path
    return `${path}${path.includes('?') ? '&' : '?'}user=${encodeURIComponent(this.user)}`
  }

  #refuse() {
    if (!this.#token) return location.reload() // there was no AUTH_SECRET when the page came
    this.isRefused = true
    this.onRefused('This token is no longer good: it may have expired. Another one, please.')
  }

  #goodToken() {
    if (this.isRefused) throw new Error('the server wants another token')
    return this.#token
  }
}

/** @param {Response} response @param {{ detail?: string } | null} data */
function problemOf(response, data) {
  const { detail = response.statusText } = data ?? {}
  const wait = response.headers.get('retry-after')
  const sentence = `${detail.slice(0, 1).toUpperCase()}${detail.slice(1)}.`
  return wait ? `${sentence} Try again in ${wait} s.` : sentence
}

/** The name in the address, or one that lasts as long as the tab. */
function whoAmI() {
  const named = new URLSearchParams(location.search).get('user')
  if (named && NAME.test(named)) return named
  const guest = `guest-${Math.floor(Math.random() * 9_000 + 1_000)}`
  try {
    const known = sessionStorage.getItem('user') ?? ''
    const name = NAME.test(known) ? known : guest
    sessionStorage.setItem('user', name)
    return name
  } catch {
    return guest // the browser keeps nothing
  }
}

/** Whose JWT it says it is, unproved: the server is the one that checks.
 * @param {string} token @returns {string | undefined} */
function userOf(token) {
  try {
    const [, claims = ''] = token.split('.')
    return JSON.parse(atob(claims.replace(/-/g, '+').replace(/_/g, '/'))).sub // names are ASCII
  } catch {
    return undefined
  }
}
