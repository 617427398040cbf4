// Asks a server as a probe does: one request after the other on one connection that stays open, so
// that the process itself does little. Also gives it pictures to draw, all at once.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerWith } from './child.ts'

// 1 s or so of a core each
const PICTURE = JSON.stringify({ width: 1_500, height: 1_500, iterations: 1_500 })

class Probe {
  readonly #socket: Socket

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setNoDelay()
  }

  /** The reply as it came. */
  async ask(request: string): Promise<string> {
    this.#socket.write(request)
    let reply = ''
    while (!isWhole(reply)) reply += (await once(this.#socket, 'data'))[0]
    return reply
  }

  end(): void {
    this.#socket.destroy()
  }
}

function isWhole(reply: string): boolean {
  const end = reply.indexOf('\r\n\r\n')
  if (end === -1) return false
  const length = Number(/content-length: (\d+)/i.exec(reply)?.[1])
  return reply.length === end + 4 + length
}
