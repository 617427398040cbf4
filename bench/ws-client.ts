// A WebSocket client that costs little, for the load of `ws-load.ts`: a raw socket that sends frames made
// beforehand, masked with zeros, and looks at no more of what comes than each header and one letter.
// It answers pings. What it does not expect ends the process.

import { connect, type Socket } from 'node:net'

interface Language {
  readonly path: string
  readonly subprotocol?: string
  /** The place of the letter by which a message is told, and the answer to a subscription. */
  readonly place: number
  readonly message: string
  readonly ok: string
  readonly subscribe: (room: string) => string
  readonly publish: (data: string, room: string) => string
}

export const languages: Readonly<Record<string, Language>> = {
  echo: {
    path: '/ws',
    place: 0, // You said: …
    message: 'Y',
    ok: '',
    subscribe: () => '',
    publish: (data) => data,
  },
  'meanwhile.v1': {
    path: '/ws',
    subprotocol: 'meanwhile.v1',
    place: 9, // {"type":"message", …
    message: 'm',
    ok: 'o',
    subscribe: (room) => `{"type":"subscribe","id":1,"topic":"room:${room}"}`,
    publish: (data, room) => `{"type":"publish","id":2,"topic":"room:${room}","data":"${data}"}`,
  },
  'socket.io': {
    path: '/socket.io/?EIO=4&transport=websocket',
    place: 1, // 42["message", …
    message: '2',
    ok: '3',
    subscribe: () => '420["subscribe"]',
    publish: (data) => `42["publish","${data}"]`,
  },
}

/** What came to all clients of this thread. */
export const came = { messages: 0, pings: 0 }

const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10]
const NOTHING = Buffer.alloc(0)
const inbox = Buffer.allocUnsafeSlow(65_536) // of all clients: each chunk is used up before the next

export function frame(text: string, opcode = TEXT): Buffer {
  const payload = Buffer.from(text)
  const isShort = payload.length < 126
  const header = Buffer.alloc(isShort ? 6 : 8) // the last four bytes are the mask
  header[0] = 0x80 | opcode
  header[1] = 0x80 | (isShort ? payload.length : 126)
  if (!isShort) header.writeUInt16BE(payload.length, 2)
  return Buffer.concat([header, payload])
}

const pong = frame('', PONG)
const pongOfSocketIo = frame('3')

export class Client {
  readonly socket: Socket
  onMessage = () => {}
  mayClose = false
  readonly #isSocketIo: boolean
  readonly #place: number
  readonly #message: number
  #awaited = 0
  #rest: Buffer = NOTHING
  #isUpgraded = false
  #hear = () => {}

  private constructor(port: number, { path, place, message }: Language) {
    this.#isSocketIo = path.startsWith('/socket.io/')
    this.#place = place
    this.#message = message.charCodeAt(0)
    const onread = { buffer: inbox, callback: (length: number) => this.#read(length) }
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread })
    this.socket.on('error', () => {}) // `close` follows
    this.socket.once('close', () => this.#closed())
  }

  static async open(port: number, language: Language): Promise<Client> {
    const { path, subprotocol } = language
    const client = new Client(port, language)
    const handshake =
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n' +
      (subprotocol ? `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n` : '\r\n')
    await client.ask(handshake, '{')
    if (client.#isSocketIo) await client.ask(frame('40'), '0')
    return client
  }

  /** Sends, and waits for the answer that has this letter at the language's place. */
  async ask(bytes: Buffer | string, letter: string): Promise<void> {
    this.#awaited = letter.charCodeAt(0)
    await new Promise<void>((resolve) => {
      this.#hear = resolve
      this.socket.write(bytes)
    })
  }

  #read(length: number): boolean {
    let chunk = inbox.subarray(0, length)
    if (this.#rest.length > 0) chunk = Buffer.concat([this.#rest, chunk])
    const read = this.#isUpgraded ? this.#readFrames(chunk, 0) : this.#readUpgrade(chunk)
    this.#rest = read === chunk.length ? NOTHING : Buffer.from(chunk.subarray(read))
    return true
  }

  #readUpgrade(chunk: Buffer): number {
    const end = chunk.indexOf('\r\n\r\n')
    if (end === -1) return 0
    const head = chunk.toString('latin1', 0, end)
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(`expected an upgrade, got ${head}`)
    this.#isUpgraded = true
    if (!this.#isSocketIo) this.#hear() // there a first frame follows, 0{…}, which is the answer
    return this.#readFrames(chunk, end + 4)
  }

  // Returns where the last whole frame ends.
  #readFrames(chunk: Buffer, from: number): number {
    let at = from
    while (chunk.length - at >= 2) {
      const short = chunk[at + 1]!
      const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10)
      if (start > chunk.length) break
      const length =
        short < 126
          ? short
          : chunk.readUIntBE(short === 126 ? at + 2 : at + 4, short === 126 ? 2 : 6)
      if (start + length > chunk.length) break
      const letter = length > this.#place ? chunk[start + this.#place]! : -1
      this.#heard(chunk[at]! & 15, length, letter)
      at = start + length
    }
    return at
  }

  #heard(opcode: number, length: number, letter: number): void {
    if (opcode === TEXT && letter === this.#message) {
      came.messages++
      this.onMessage()
    } else if (opcode === PING) {
      came.pings++
      this.socket.write(pong)
    } else if (opcode === CLOSE) {
      this.#closed()
    } else if (this.#isSocketIo && length === 1) {
      this.socket.write(pongOfSocketIo) // the only frame of one letter is a ping
    } else if (letter === this.#awaited) {
      this.#hear()
    }
  }

  #closed(): void {
    if (!this.mayClose) throw new Error('expected the server to keep the connection')
  }
}
