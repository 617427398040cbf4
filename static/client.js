// The browser's side of `meanwhile.v1`: a socket that comes back by itself, topics that miss nothing or
// say so, and messages that arrive once, also when it breaks in between. Runs in Node 22, too.

/** @typedef {'connecting' | 'connected' | 'waiting' | 'closed'} Status */
/** @typedef {{ topic: string, offset?: number, from?: string, at: string, data: any }} Message */
/** @typedef {{ recovered: boolean, messages: Message[], members?: string[], count?: number }} Start */
/** `onStart` comes at each connection, ahead of the messages: unless it has recovered, something may be
 * missing between what came before and what comes now. `onError`: the server refuses the topic.
 * @typedef {{ onMessage: (message: Message) => void, onStart?: (start: Start) => void,
 *   onPresence?: (change: { joined: string[], left: string[], count: number }) => void,
 *   onError?: (error: Error) => void }} Listener */
/** @typedef {{ token?: () => string | Promise<string>,
 *   onStatus?: (status: Status, delay: number, reason: string) => void }} Options */
/** @typedef {{ listener: Listener, since?: { epoch: string, offset: number } }} Topic */
/** @typedef {{ message: any, slot?: string, done?: (answer: any) => void,
 *   failed?: (error: Error) => void }} Request */

const [MIN_WAIT, MAX_WAIT] = [500, 15_000] // milliseconds; doubled at each failure
const [STABLE, PING_EVERY] = [30, 200] // ticks of 100 ms; browsers hide the protocol's own pings
const [MAX_WAITING, MAX_BYTES] = [100, 65_000] // messages, and of one: a frame may have 64 KiB
const [RATE, BURST] = [1.5, 25] // requests a tick, and at once: below what the server allows
// `crypto.randomUUID` is there in secure contexts only
const newKey = () => ({ key: crypto.getRandomValues(new Uint32Array(4)).join('-') })

export class Client {
  #url
  #options
  #socket = /** @type {WebSocket | undefined} */ (undefined)
  #topics = /** @type {Map<string, Topic>} */ (new Map())
  #waiting = /** @type {Request[]} */ ([])
  #sent = /** @type {Map<number, Request>} */ (new Map()) // by their ids, until they are answered
  #isOpen = false
  #nextId = 1
  #credit = 0 // requests that may be sent
  #timer = /** @type {any} */ (undefined) // to the next connection, or the next tick of this one
  #ticks = 0 // since the connection opened
  #isHeard = false // since the last ping
  #goodbye = { reconnect: true, delay: 0 }
  #failures = 0
  #isClosed = false

  /** Connects, and again after a loss. `token` is asked for one at each connection; `onStatus` hears the
   * milliseconds to the next one, and why the last was closed.
   * @param {string | URL} url @param {Options} [options] */
  constructor(url, { token, onStatus = () => {} } = {}) {
    this.#url = url
    this.#options = { token, onStatus }
    this.#connect()
  }

  /** Follows a topic, after a reconnect, too; a second listener replaces the first. Returns its end.
   * @param {string} name @param {Listener} listener */
  subscribe(name, listener) {
    const topic = { listener }
    this.#topics.set(name, topic)
    if (this.#isOpen) this.#send(this.#subscription(name, topic))
    return () => {
      if (this.#topics.get(name) !== topic) return
      this.#topics.delete(name)
      if (this.#isOpen) this.#send({ message: { type: 'unsubscribe', topic: name } })
    }
  }

  /** Resolves to the message's offset once the server has it: after the next connection, if need be.
   * Rejects if it is too big or refused, when 100 are waiting, and at `close`. A transient one counts
   * at the moment only: of what can't be sent at once, the newest in each topic is sent.
   * @param {string} topic @param {unknown} data @param {{ transient?: boolean }} [options]
   * @returns {Promise<number | undefined>} */
  async publish(topic, data, { transient = false } = {}) {
    const message = { type: 'publish', topic, data, ...(transient ? { transient } : newKey()) }
    const { size } = new Blob([JSON.stringify(message)])
    if (size > MAX_BYTES) throw new Error(`expected at most ${MAX_BYTES} bytes, got ${size}`)
    if (this.#isClosed) throw new Error('the client is closed')
    if (transient) {
      this.#waiting = this.#waiting.filter(({ slot }) => slot !== topic)
      if (this.#isOpen) this.#send({ message, slot: topic })
      return undefined
    }
    if (this.#waiting.length >= MAX_WAITING) throw new Error('too much is waiting')
    const answer = await new Promise((done, failed) => this.#send({ message, done, failed }))
    return answer.offset
  }

  /** Leaves, and does not come back. */
  close() {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#socket?.close(1000)
    this.#lost(1000, '')
  }

  async #connect() {
    this.#options.onStatus('connecting', 0, '')
    try {
      const bearer = this.#options.token ? [`bearer.${await this.#options.token()}`] : []
      if (this.#isClosed) return
      const socket = new WebSocket(this.#url, ['meanwhile.v1', ...bearer])
      this.#socket = socket
      // One that was given up may still have something to say, and is no longer heard.
      const isCurrent = () => socket === this.#socket
      socket.onopen = () => isCurrent() && this.#opened()
      socket.onmessage = ({ data }) => isCurrent() && this.#receive(JSON.parse(data))
      socket.onclose = ({ code, reason }) => isCurrent() && this.#lost(code, reason)
      socket.onerror = () => isCurrent() && this.#lost(1006, '') // in Node 22 no close follows
    } catch (error) {
      if (!this.#isClosed) this.#lost(0, String(error)) // no token, or none that can be sent
    }
  }

  #opened() {
    this.#isOpen = true
    this.#isHeard = true
    this.#ticks = 0
    this.#credit = BURST
    this.#waiting.unshift(...[...this.#topics].map((entry) => this.#subscription(...entry)))
    this.#timer = setInterval(() => this.#tick(), 100)
    this.#options.onStatus('connected', 0, '')
    this.#send()
  }

  #tick() {
    this.#credit = Math.min(BURST, this.#credit + RATE)
    this.#send()
    if (++this.#ticks === STABLE) this.#failures = 0
    if (this.#ticks % PING_EVERY > 0) return
    if (!this.#isHeard) {
      this.#socket?.close()
      return this.#lost(1006, 'the server is silent')
    }
    this.#isHeard = false
    this.#socket?.send('{"type":"ping"}')
  }

  /** @param {number} code @param {string} reason */
  #lost(code, reason) {
    clearTimeout(this.#timer)
    this.#socket = undefined
    this.#isOpen = false
    this.#credit = 0
    const { reconnect, delay: announced } = this.#goodbye
    this.#goodbye.delay = 0
    const isFinal = code === 4101 ? !this.#options.token : code >= 4100 && code < 4200
    this.#isClosed ||= isFinal || !reconnect
    // What was sent and not answered is sent again with the same key, which makes it once.
    this.#waiting = [...this.#sent.values(), ...this.#waiting].filter(({ message }) => message.key)
    this.#sent.clear()
    if (this.#isClosed) {
      for (const { failed } of this.#waiting.splice(0)) failed?.(new Error(reason || 'closed'))
      return this.#options.onStatus('closed', 0, reason)
    }
    // Full jitter: a thousand clients that were cut together do not come back together.
    const delay = announced || Math.random() * Math.min(MAX_WAIT, MIN_WAIT * 2 ** this.#failures++)
    this.#timer = setTimeout(() => this.#connect(), delay)
    this.#options.onStatus('waiting', delay, reason)
  }

  /** @param {any} message */
  #receive(message) {
    this.#isHeard = true
    const { type, id, offset, code, detail } = message
    const topic = this.#topics.get(message.topic)
    const request = this.#sent.get(id)
    this.#sent.delete(id)
    // What comes ahead of its start is meant for whoever followed it here before.
    const listener = topic?.since && topic.listener
    if (topic?.since && type === 'message') topic.since.offset = offset ?? topic.since.offset
    if (type === 'message') queueMicrotask(() => listener?.onMessage(message))
    else if (type === 'presence') queueMicrotask(() => listener?.onPresence?.(message))
    else if (type === 'goodbye') this.#goodbye = message
    else if (type === 'ok') request?.done?.(message)
    else if (type === 'error') request?.failed?.(Object.assign(new Error(detail), { code }))
  }

  /** @param {string} name @param {Topic} topic @returns {Request} */
  #subscription(name, topic) {
    const { listener, since } = topic
    return {
      message: { type: 'subscribe', topic: name, since },
      done: (answer) => {
        if (this.#topics.get(name) !== topic) return
        topic.since = { epoch: answer.epoch, offset: answer.offset }
        // One by one, so that one that throws keeps no other from coming.
        queueMicrotask(() => listener.onStart?.(answer))
        for (const message of answer.messages) queueMicrotask(() => listener.onMessage(message))
      },
      failed: (error) => listener.onError?.(error),
    }
  }

  /** Not faster than the server allows, or it would close. @param {Request} [request] */
  #send(request) {
    if (request) this.#waiting.push(request)
    while (this.#credit >= 1 && this.#waiting.length > 0) {
      const next = /** @type {Request} */ (this.#waiting.shift())
      this.#credit--
      this.#sent.set(this.#nextId, next)
      this.#socket?.send(JSON.stringify({ ...next.message, id: this.#nextId++ }))
    }
  }
}
