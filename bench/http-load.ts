// The load of `http.ts`, a process of its own: `node http-load.ts PORT PATH`. Raw sockets that send one
// prepared request each, and look at no more of a reply than its status and its length.
//
// `flood` keeps so many requests under way: whoever has a reply asks again at once. `pace` sends so many
// a second, whatever the replies do, and counts from the moment at which each was due: a server that
// stalls is not spared those that would have come meanwhile.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerWith, cpu } from './child.ts'

const BODY = JSON.stringify({ order: 42, name: 'Ada Lovelace', items: ['book', 'pen'] })
const ACCEPTED = 50 // the last digit of 202
const HEAD_END = '\r\n\r\n'

const [, , port = '', path = ''] = process.argv
const request = Buffer.from(
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
)
const inbox = Buffer.allocUnsafeSlow(65_536) // of all: each chunk is used up before the next

/** What came to all clients of this process; `refused` is any reply but 202. */
const came = { accepted: 0, refused: 0 }
let times: number[] | undefined // milliseconds, while they are wanted

class Client {
  /** Called when it may ask again. */
  onReply = () => {}
  #socket!: Socket
  #sentAt = 0
  #got = 0 // bytes of the reply so far
  #length = 0 // bytes of a whole reply, as the last one had it
  #isBusy = false
  #isLast = false // the server said that no request may follow on this connection

  async open(): Promise<this> {
    this.#connect()
    await once(this.#socket, 'connect')
    return this
  }

  ask(dueAt = performance.now()): void {
    this.#isBusy = true
    this.#sentAt = dueAt
    this.#socket.write(request)
  }

  #connect(): void {
    const onread = { buffer: inbox, callback: (bytes: number) => this.#read(bytes) }
    this.#socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true, onread })
    this.#socket.on('error', () => {}) // `close` follows
    this.#socket.once('close', () => {
      if (this.#isBusy) throw new Error('expected a reply, but the connection has ended')
      this.#connect()
      if (this.#isLast) this.#socket.once('connect', this.onReply)
      this.#isLast = false
    })
  }

  #read(bytes: number): boolean {
    if (this.#got === 0 && bytes !== this.#length) this.#measure(inbox.toString('latin1', 0, bytes))
    if (this.#got === 0) came[inbox[11] === ACCEPTED ? 'accepted' : 'refused']++
    this.#got += bytes
    if (this.#got < this.#length) return true
    times?.push(performance.now() - this.#sentAt)
    this.#got = 0
    this.#isBusy = false
    if (this.#isLast)
      this.#socket.destroy() // as RFC 9112 §9.6 has it
    else this.onReply()
    return true
  }

  // Another length than the last one had: an error, a last reply, or one whose body comes apart.
  #measure(head: string): void {
    const end = head.indexOf(HEAD_END)
    const [, length] = /content-length: (\d+)/i.exec(head) ?? []
    if (end === -1 || length === undefined) throw new Error(`expected a reply, got ${head}`)
    this.#length = end + HEAD_END.length + Number(length)
    this.#isLast = /connection: close/i.test(head)
  }
}

/** What came in so many milliseconds, after others to warm up. */
async function measure(warmUp: number, milliseconds: number) {
  await sleep(warmUp)
  const [before, started] = [{ ...came }, performance.now()]
  times = []
  await sleep(milliseconds)
  const seconds = (performance.now() - started) / 1_000
  const rate = (name: keyof typeof came) => (came[name] - before[name]) / seconds
  const sorted = times.map((time) => Math.round(time * 1_000) / 1_000)
  times = undefined
  return { accepted: rate('accepted'), refused: rate('refused'), times: sorted }
}

/** Never sleeps, so that no write of the server has to wake this process: across a network none would. */
function spin(): void {
  setImmediate(spin)
}

/** So many connections, each of which asks again as soon as it has its reply. */
async function flood(connections: number, warmUp: number, milliseconds: number) {
  spin()
  for (const client of await open(connections)) {
    client.onReply = () => client.ask()
    client.ask()
  }
  return measure(warmUp, milliseconds)
}

/** So many requests a second, over connections that are free. */
async function pace(connections: number, perSecond: number, warmUp: number, milliseconds: number) {
  const free = await open(connections)
  const started = performance.now()
  spin()
  let sent = 0
  for (const client of free) client.onReply = () => free.push(client)
  const next = () => {
    for (; ; sent++) {
      const dueAt = started + (sent / perSecond) * 1_000
      if (dueAt > performance.now() || free.length === 0) break
      free.pop()!.ask(dueAt)
    }
    setImmediate(next)
  }
  next()
  return measure(warmUp, milliseconds)
}

async function open(connections: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: connections }, () => new Client().open()))
}

answerWith({ cpu, flood, pace })
