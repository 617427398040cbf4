// The browser's side of `meanwhile.v1`: one socket that comes back by itself, topics to follow, and
// answers that are paired with their requests. No dependencies.

/** @typedef {'connecting' | 'connected' | 'waiting' | 'closed'} Status */
/** @typedef {{ topic: string, offset?: number, from?: string, at: string, data: any }} Message */
/** @typedef {{ offset: number }} Answer */
/** @typedef {{ resolve: (answer: Answer) => void, reject: (error: Error) => void }} Request */

const SUBPROTOCOL = 'meanwhile.v1'
const FIRST_DELAY = 500 // milliseconds, doubled at each failure
const LONGEST_DELAY = 15_000
const PING_EVERY = 20_000 // browsers hide the protocol's own pings, so a dead socket looks alive

export class Client {
  #url
  #onStatus
  #failures = 0
  #nextId = 1
  #announcedDelay = 0
  /** @type {WebSocket | undefined} */
  #socket
  /** @type {Map<string, (message: Message) => void>} */
  #topics = new Map()
  /** @type {Map<number, Request>} */
  #requests = new Map()
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer

  /**
   * Connects, and after a loss connects again until `close` is called.
   * @param {string | URL} url of the WebSocket
   * @param {(status: Status, delay: number, reason: string) => void} onStatus with the milliseconds
   *   to the next try, and why the server closed
   */
  constructor(url, onStatus = () => {}) {
    this.#url = url
    this.#onStatus = onStatus
    this.#connect()
  }

  /**
   * Follows a topic, also after a reconnect. Returns the function that ends it.
   * @param {string} topic
   * @param {(message: Message) => void} onMessage
   */
  subscribe(topic, onMessage) {
    this.#topics.set(topic, onMessage)
    if (this.#isOpen()) this.#follow(topic)
    return () => {
      this.#topics.delete(topic)
      if (this.#isOpen()) this.#ask({ type: 'unsubscribe', topic }).catch(() => {})
    }
  }

  /**
   * Resolves to the message's offset once the server has it. Rejects if it refuses or is away.
   * @param {string} topic
   * @param {unknown} data
   * @returns {Promise<number>}
   */
  async publish(topic, data) {
    return (await this.#ask({ type: 'publish', topic, data })).offset
  }

  /** Leaves, and does not come back. */
  close() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = undefined
    socket?.close(1000)
    this.#lose()
    this.#onStatus('closed', 0, '')
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  #connect() {
    this.#onStatus('connecting', 0, '')
    const socket = new WebSocket(this.#url, SUBPROTOCOL)
    this.#socket = socket
    // One that was given up may still have something to say, and is no longer heard.
    const isCurrent = () => socket === this.#socket
    socket.onopen = () => isCurrent() && this.#opened()
    socket.onmessage = ({ data }) => isCurrent() && this.#receive(JSON.parse(data))
    socket.onclose = ({ code, reason }) => isCurrent() && this.#closed(code, reason)
  }

  #opened() {
    this.#failures = 0
    this.#announcedDelay = 0
    this.#onStatus('connected', 0, '')
    for (const topic of this.#topics.keys()) this.#follow(topic)
    this.#watch()
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #closed(code, reason) {
    this.#socket = undefined
    clearTimeout(this.#timer)
    this.#lose()
    const mayComeBack = code < 4100 || code > 4199
    if (!mayComeBack) return this.#onStatus('closed', 0, reason)
    // Full jitter: a thousand clients that were cut together do not come back together.
    const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** this.#failures++)
    const delay = this.#announcedDelay || Math.random() * longest
    this.#announcedDelay = 0
    this.#onStatus('waiting', delay, reason)
    this.#timer = setTimeout(() => this.#connect(), delay)
  }

  #lose() {
    for (const { reject } of this.#requests.values()) reject(new Error('the connection was lost'))
    this.#requests.clear()
  }

  // Asks for a sign of life. Without one until the next time the socket is dead.
  #watch() {
    const socket = this.#socket
    this.#timer = setTimeout(() => {
      socket?.send('{"type":"ping"}')
      this.#timer = setTimeout(() => {
        socket?.close()
        this.#closed(1006, 'the server is silent')
      }, PING_EVERY)
    }, PING_EVERY)
  }

  /** @param {any} message */
  #receive(message) {
    clearTimeout(this.#timer)
    this.#watch()
    if (message.type === 'message') this.#topics.get(message.topic)?.(message)
    if (message.type === 'goodbye') this.#announcedDelay = message.delay
    if (message.type !== 'ok' && message.type !== 'error') return

    const request = this.#requests.get(message.id)
    this.#requests.delete(message.id)
    if (message.type === 'ok') request?.resolve(message)
    else request?.reject(new Error(message.detail))
  }

  /** @param {string} topic */
  #follow(topic) {
    this.#ask({ type: 'subscribe', topic }).catch(() => {
      // Lost: asked again after the reconnect. Refused: nothing will come, as with an empty topic.
    })
  }

  /**
   * @param {{ type: string, topic: string, data?: unknown }} request
   * @returns {Promise<Answer>}
   */
  #ask(request) {
    return new Promise((resolve, reject) => {
      if (!this.#isOpen()) return reject(new Error('not connected'))
      const id = this.#nextId++
      this.#requests.set(id, { resolve, reject })
      this.#socket?.send(JSON.stringify({ ...request, id }))
    })
  }
}
