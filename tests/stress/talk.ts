// A connection as a fuzzer needs it: bytes go out in as many writes as asked for, and what comes back is
// kept. It ends when the server does, which has to be soon.

import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { within } from '../../lib/within.ts'
import { HANG } from './subject.ts'

const QUIET = 20 // milliseconds without a byte: where nobody knows what is still to come

const EACH_BYTE = 200 // `ws` takes 256 pieces of one frame

export class Talk {
  readonly #socket: Socket
  readonly #closed: Promise<void>
  #pieces: Buffer[] = []
  #isClosed = false
  #hear: () => void = () => {}

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('error', () => {}) // a reset is an end, too
    this.#socket.on('data', (piece: Buffer) => {
      this.#pieces.push(piece)
      this.#hear()
    })
    this.#closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#isClosed = true
        this.#hear()
        resolve()
      })
    })
  }

  /** All that came. */
  get received(): Buffer {
    this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]!
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Cut at these places (of 10,000), or after each of the first bytes. */
  async send(bytes: Buffer, cuts: readonly number[] | null = []): Promise<void> {
    const places = cuts
      ? cuts.map((cut) => Math.floor((bytes.length * cut) / 10_000)).toSorted((a, b) => a - b)
      : Array.from({ length: Math.min(EACH_BYTE, bytes.length) }, (_, i) => i)
    let from = 0
    for (const place of [...places, bytes.length]) {
      if (place === from) continue
      if (this.#socket.writable) this.#socket.write(bytes.subarray(from, place))
      await turn()
      from = place
    }
  }

  /** Waits until it is so with what came, or the server has closed. Rejects if neither comes. */
  async until(isSo: (received: Buffer) => boolean): Promise<void> {
    const over = new Promise<void>((resolve, reject) => {
      this.#hear = () => {
        try {
          if (this.#isClosed || isSo(this.received)) resolve()
        } catch (error) {
          reject(error)
        }
      }
      this.#hear()
    })
    assert.ok(await within(HANG, over), `hangs, after ${JSON.stringify(this.#text())}`)
    this.#hear = () => {}
  }

  /** Waits until nothing has come for a while, or so many times something has. */
  async quiet(most = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#isClosed) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, QUIET)
      let left = most
      this.#hear = () => {
        timer.refresh()
        if (!this.#isClosed && --left > 0) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#hear = () => {}
  }

  /** Says that nothing more comes, and waits until the server has closed, too. */
  async end(): Promise<void> {
    this.#socket.end()
    const isOver = await within(HANG, this.#closed)
    this.#socket.destroy()
    assert.ok(isOver, `not closed by the server, after ${JSON.stringify(this.#text())}`)
  }

  reset(): void {
    this.#socket.resetAndDestroy()
  }

  #text(): string {
    return this.received.toString('latin1', 0, 1_000)
  }
}
