// The browser's side of `meanwhile.v1`: a socket that comes back by itself, topics that miss nothing or
// say so, and messages that arrive once, also when it breaks in between. Runs in Node 22, too.
/** @typedef {'connecting' | 'connected' | 'waiting' | 'closed'} Status */
/** @typedef {{ topic: string, offset?: number, from?: string, at: string, data: unknown }} Message */
/** @typedef {{ epoch: string, offset: number, recovered: boolean, messages: Message[],
 *   members?: string[], count?: number }} Start */
/** `onStart` comes at each connection, ahead of the messages: unless it has recovered, something may be
 * missing between what came before and what comes now. `onError`: the server refuses the topic.
 * @typedef {{ onMessage: (message: Message) => void, onStart?: (start: Start) => void,
 *   onError?: (error: Error) => void,
 *   onPresence?: (change: { joined: string[], left: string[], count: number }) => void }} Listener */
/** @typedef {{ token?: () => string | Promise<string>,
 *   onStatus?: (status: Status, delay: number, reason: string) => void }} Options */
/** @typedef {{ name: string, listener: Listener, since?: { epoch: string, offset: number } }} Topic */
/** @typedef {{ text: string, key?: string | undefined, slot?: string,
 *   done?: (answer: Start) => void, failed?: (error: Error) => void }} Request */
const [MIN_WAIT, MAX_WAIT, STABLE, PING_EVERY] = [500, 15_000, 3_000, 20_000] // milliseconds
const [MAX_WAITING, MAX_BYTES] = [100, 65_000] // messages, and of one: a frame may have 64 KiB
const [RATE, BURST] = [15, 25] // requests a second, and at once: below what the server allows
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join('-') // a UUID would ask for TLS

export class Client {
  #options
  #say = /** @type {(...status: [Status, number, string]) => void} */ (() => {})
  #socket = /** @type {WebSocket | undefined} */ (undefined)
  #topics = /** @type {Map<string, Topic>} */ (new Map())
  #waiting = /** @type {Request[]} */ ([])
  #sent = /** @type {Map<number, Request>} */ (new Map()) // by their ids, until they are answered
  #attempt = 0 // to connect
  /** @type {{ since: number, ticked: number, pinged: number, isHeard: boolean } | undefined} */
  #open // with times in milliseconds
  #nextId = 1
  #credit = 0 // requests that may be sent
  #timer = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined)
  #goodbye = { reconnect: true, delay: 0 }
  #failures = 0
  #isClosed = false

  /** Connects, and again after a loss. `token` is asked for one at each connection; `onStatus` hears the
   * milliseconds to the next one, and why the last was closed.
   * @param {string | URL} url @param {Options} [options] */
  constructor(url, { token, onStatus = () => {} } = {}) {
    this.#options = { url, token }
    this.#say = (...status) => queueMicrotask(() => onStatus(...status))
    this.#connect()
  }

  /** Follows a topic, after a reconnect, too; a second listener replaces the first. Returns its end.
   * @param {string} name @param {Listener} listener */
  subscribe(name, listener) {
    const topic = { name, listener }
    this.#topics.set(name, topic)
    if (this.#open) this.#send(this.#subscription(topic))
    return () => {
      if (this.#topics.get(name) !== topic) return
      this.#topics.delete(name)
      if (this.#open) this.#send({ text: JSON.stringify({ type: 'unsubscribe', topic: name }) })
    }
  }

  /** Resolves to its offset once the server has it: after the next connection, if need be. Rejects if it
   * is too big or refused, at `close`, and when 100 wait. Of transient ones that wait the newest is sent.
   * @param {string} topic @param {unknown} data @param {{ transient?: boolean }} [options]
   * @returns {Promise<number | undefined>} */
  async publish(topic, data, { transient = false } = {}) {
    const key = transient ? undefined : newKey()
    const text = JSON.stringify({ type: 'publish', topic, data, key, transient })
    if (new Blob([text]).size > MAX_BYTES) throw new Error(`expected at most ${MAX_BYTES} bytes`)
    if (this.#isClosed) throw new Error('the client is closed')
    const older = transient && this.#waiting.find(({ slot }) => slot === topic)
    if (older) return void Object.assign(older, { text }) // in its place in the line
    if (transient) return void (this.#open && this.#send({ text, slot: topic }))
    if (this.#waiting.length >= MAX_WAITING) throw new Error('too much is waiting')
    return (await new Promise((done, failed) => this.#send({ text, key, done, failed }))).offset
  }

  /** Connects at once, if it waits to: the network may be back, or there is a new token. */
  wake() {
    if (!this.#socket && !this.#isClosed) this.#connect()
  }

  /** Leaves, and does not come back. */
  close() {
    if (!this.#isClosed) this.#lost(4100, '')
  }

  async #connect() {
    const attempt = ++this.#attempt
    const isCurrent = () => attempt === this.#attempt // one that was given up is no longer heard
    clearTimeout(this.#timer)
    this.#say('connecting', 0, '')
    this.#timer = setTimeout(() => this.#lost(1006, 'the server does not answer'), MAX_WAIT)
    try {
      const bearer = this.#options.token ? [`bearer.${await this.#options.token()}`] : []
      if (!isCurrent()) return
      const socket = new WebSocket(this.#options.url, ['meanwhile.v1', ...bearer])
      this.#socket = socket
      socket.onopen = () => isCurrent() && this.#opened()
      socket.onmessage = ({ data }) => isCurrent() && this.#receive(JSON.parse(data))
      socket.onclose = ({ code, reason }) => isCurrent() && this.#lost(code, reason)
      socket.onerror = () => isCurrent() && this.#lost(1006, '') // in Node 22 no close follows
    } catch (error) {
      if (isCurrent()) this.#lost(0, String(error)) // no token, or none that can be sent
    }
  }

  #opened() {
    clearTimeout(this.#timer)
    const now = performance.now()
    this.#open = { since: now, ticked: now, pinged: now, isHeard: true }
    this.#credit = BURST
    this.#waiting.unshift(...[...this.#topics.values()].map((topic) => this.#subscription(topic)))
    this.#timer = setInterval(() => this.#tick(), 100)
    this.#say('connected', 0, '')
    this.#send()
  }

  #tick() {
    const [open, now] = [this.#open, performance.now()] // a page that nobody sees ticks seldom
    if (!open) return
    this.#credit = Math.min(BURST, this.#credit + ((now - open.ticked) / 1_000) * RATE)
    open.ticked = now
    this.#send()
    if (now - open.since >= STABLE) this.#failures = 0
    if (now - open.pinged < PING_EVERY) return
    if (!open.isHeard) return this.#lost(1006, 'the server is silent')
    Object.assign(open, { pinged: now, isHeard: false })
    this.#socket?.send('{"type":"ping"}') // browsers hide the protocol's own
  }

  /** @param {number} code @param {string} reason */
  #lost(code, reason) {
    clearTimeout(this.#timer)
    this.#attempt++
    this.#socket = void this.#socket?.close(1000)
    this.#open = undefined
    const { reconnect, delay: announced } = this.#goodbye
    this.#goodbye.delay = 0
    this.#isClosed =
      !reconnect || (code === 4101 ? !this.#options.token : code >= 4100 && code < 4200)
    // What was sent and not answered is sent again with the same key, which makes it once.
    this.#waiting = [...this.#sent.values(), ...this.#waiting].filter(({ key }) => key)
    this.#sent.clear()
    if (this.#isClosed) {
      this.#topics.clear()
      for (const { failed } of this.#waiting.splice(0)) failed?.(new Error(reason || 'closed'))
      return this.#say('closed', 0, reason)
    }
    // Full jitter: a thousand clients that were cut together do not come back together.
    const jitter = Math.random() * Math.min(MAX_WAIT, MIN_WAIT * 2 ** this.#failures++)
    const delay = Math.max(announced, jitter)
    this.#timer = setTimeout(() => this.#connect(), delay)
    this.#say('waiting', delay, reason)
  }

  /** Later: what throws there stops nothing here. @param {Topic} of @param {(to: Listener) => void} call */
  #tell(of, call) {
    queueMicrotask(() => this.#topics.get(of.name) === of && call(of.listener))
  }

  /** @param {any} message */
  #receive(message) {
    if (this.#open) this.#open.isHeard = true
    const { type, id, offset, code, detail } = message
    const topic = this.#topics.get(message.topic)
    if (code === 'unavailable') return this.#lost(1006, detail) // it resends
    const request = this.#sent.get(id)
    this.#sent.delete(id)
    // What comes ahead of its start is meant for whoever followed it here before.
    if (topic?.since && type === 'message' && offset) topic.since.offset = offset
    if (topic?.since && type === 'message') this.#tell(topic, (to) => to.onMessage(message))
    if (topic?.since && type === 'presence') this.#tell(topic, (to) => to.onPresence?.(message))
    if (type === 'goodbye') this.#goodbye = message
    if (type === 'ok') request?.done?.(message)
    if (type === 'error') request?.failed?.(Object.assign(new Error(detail), { code }))
  }

  /** @param {Topic} topic @returns {Request} */
  #subscription(topic) {
    return {
      text: JSON.stringify({ type: 'subscribe', topic: topic.name, since: topic.since }),
      done: (answer) => {
        topic.since = { epoch: answer.epoch, offset: answer.offset }
        this.#tell(topic, (to) => to.onStart?.(answer))
        for (const message of answer.messages) this.#tell(topic, (to) => to.onMessage(message))
      },
      failed: (error) => this.#tell(topic, (to) => to.onError?.(error)),
    }
  }

  /** Not faster than the server allows, or it would close. @param {Request} [request] */
  #send(request) {
    if (request) this.#waiting.push(request)
    while (this.#open && this.#credit >= 1 && this.#waiting.length > 0) {
      const next = /** @type {Request} */ (this.#waiting.shift())
      this.#credit--
      this.#sent.set(this.#nextId, next)
      this.#socket?.send(`{"id":${this.#nextId++},${next.text.slice(1)}`)
    }
  }
}
