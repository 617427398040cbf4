// A bad network: a TCP proxy in front of a server, which can cut its connections, let no new one
// through, and lose what the server says.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Scope } from './basics.ts'

export class Network {
  /** The server's WebSocket, as seen through it. */
  readonly url: string
  readonly #target: number
  readonly #pairs = new Set<readonly [client: Socket, server: Socket]>()
  #isDown = false

  constructor(server: Server, target: number) {
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`
    this.#target = target
    server.on('connection', (client) => this.#connect(client))
  }

  /** Cuts all connections, or those that are chosen, without a word. Returns how many. */
  cut(isChosen: () => boolean = () => true): number {
    const chosen = [...this.#pairs].filter(isChosen)
    for (const pair of chosen) {
      this.#pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    return chosen.length
  }

  /** Cuts all, and lets nobody through until it is `up` again. */
  down(): void {
    this.#isDown = true
    this.cut()
  }

  up(): void {
    this.#isDown = false
  }

  /** Loses all that the server says from now on, to those who are connected. */
  mute(): void {
    for (const [client, server] of this.#pairs) {
      server.unpipe(client)
      server.resume()
    }
  }

  /** Reads no more of what the server says to those who are chosen. Returns what ends that. */
  stall(isChosen: () => boolean): () => void {
    const chosen = [...this.#pairs].filter(isChosen)
    for (const [client, server] of chosen) {
      server.unpipe(client)
      server.pause()
    }
    return () => {
      for (const [client, server] of chosen) server.pipe(client)
    }
  }

  #connect(client: Socket): void {
    client.on('error', () => {})
    if (this.#isDown) return void client.destroy()
    const server = connect(this.#target, '127.0.0.1')
    const pair = [client, server] as const
    this.#pairs.add(pair)
    client.pipe(server).pipe(client)
    for (const socket of pair) {
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#pairs.delete(pair)
        for (const other of pair) other.destroySoon()
      })
    }
  }
}

/** Closed when the test ends. */
export async function startNetwork(t: Scope, url: string): Promise<Network> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const network = new Network(server, Number(new URL(url).port))
  t.after(() => {
    server.close()
    network.down()
  })
  return network
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
