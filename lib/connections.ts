// The TCP connections of the HTTP server, upgraded ones too: how many there may be, which has to go
// when there are too many, and for how long one may stand still.
//
// A connection is quiet when the server has nothing to do for it: nothing was said so far, or half a
// request's head, or it is kept open for a next request. When the server is full, the one that has been
// quiet for longest makes room for the newcomer, so that silence keeps nobody out. If none is quiet, the
// newcomer has to go.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

// Milliseconds in which nothing moves, while it is the client's turn. Node looks once in so many, and
// what the kernel took at first counts as a movement: so it is up to twice as long.
const STUCK = 30_000

export class Connections {
  readonly #most: number
  readonly #quiet = new Set<Duplex>() // the longest first
  readonly #replies = new WeakMap<Duplex, Set<ServerResponse>>() // under way, in the order they go out
  #size = 0

  constructor(server: Server, most: number) {
    this.#most = most
    const leave = (socket: Duplex) => this.#leave(socket)
    // One for all sockets: a function for each would cost each of them.
    function onClose(this: Duplex): void {
      leave(this)
    }
    server.on('connection', (socket) => {
      socket.on('close', onClose)
      this.#enter(socket)
    })
    server.on('timeout', (socket) => this.#giveUp(socket))
  }

  /** Replies under way on a connection, in the order in which they go out. */
  repliesOn(socket: Duplex): readonly ServerResponse[] {
    return [...(this.#replies.get(socket) ?? [])]
  }

  /** To be called for each request. */
  begin({ socket }: IncomingMessage, res: ServerResponse): void {
    const replies = this.#replies.get(socket) ?? new Set()
    this.#replies.set(socket, replies)
    this.#quiet.delete(socket)
    replies.add(res)
    socket.setTimeout(STUCK) // here, since `server.timeout` would cost each WebSocket a timer
    res.once('close', () => {
      replies.delete(res)
      if (replies.size === 0 && !socket.destroyed) this.#quiet.add(socket)
    })
  }

  /** To be called for an upgrade: what is no HTTP any more is never quiet. */
  upgrade(socket: Duplex): void {
    this.#quiet.delete(socket)
  }

  #enter(socket: Duplex): void {
    this.#size++
    if (this.#size > this.#most) this.#makeRoom(socket)
    this.#quiet.add(socket)
  }

  #makeRoom(newcomer: Duplex): void {
    const [oldest = newcomer] = this.#quiet
    this.#quiet.delete(oldest)
    oldest.destroy()
  }

  #leave(socket: Duplex): void {
    this.#size--
    this.#quiet.delete(socket)
    // Node tells the reply whose turn it is, not those in line behind it.
    for (const res of this.repliesOn(socket)) res.emit('close')
  }

  // A client that does not read its reply, nor ask for anything, has to go; a handler takes its time.
  #giveUp(socket: Duplex): void {
    const [first] = this.repliesOn(socket)
    if (!first || first.writableEnded) socket.destroy()
  }
}
