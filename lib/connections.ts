// The TCP connections of the HTTP server, upgraded ones too: how many there may be, how much may wait on
// them, for how long one may stand still, and which has to go for another.
//
// A connection is quiet when the server has nothing to do for it: nothing was said so far, or half a
// request's head, or it is kept open for a next request. When the server is full, the one that has been
// quiet for longest makes room for the newcomer, then the first that waits for its client, to send the
// rest of a body or to read a reply. So nobody keeps others out by doing nothing. If all wait for the
// server, the newcomer has to go.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'

// Milliseconds in which nothing moves, while it is the client's turn. Node looks once in so many, and
// what the kernel took at first counts as a movement: so it is up to twice as long.
const STUCK = 30_000
const AT_ONCE = 10 // requests of one connection that are worked on at a time
const MAX_IN_LINE = 10_000 // requests behind these, of all; beyond, the connection of the next is cut
const MAX_UNREAD = 256 * 1_048_576 // bytes of replies; beyond, the oldest of them are cut

export class Connections {
  readonly #most: number
  readonly #quiet = new Set<Duplex>() // the longest first
  readonly #replies = new Map<Duplex, ServerResponse[]>() // under way, in the order they go out
  readonly #unread = new Map<ServerResponse, number>() // bytes, the oldest first
  #underWay = 0 // replies, of all
  #waiting: (() => void)[] = [] // for these to be over
  #unreadBytes = 0
  #cutBytes = 0 // of connections that were cut for it, and are not closed yet
  #inLine = 0
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
    return this.#replies.get(socket) ?? []
  }

  /** Resolves when no reply is under way, which may be at once. */
  async whenIdle(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /**
   * To be called for each request. Undefined: it is its turn. Otherwise resolves when it is; false:
   * its client has left.
   */
  begin({ socket }: IncomingMessage, res: ServerResponse): Promise<boolean> | undefined {
    const replies = this.#replies.get(socket) ?? []
    if (replies.length === 0) this.#replies.set(socket, replies)
    const ahead = replies.at(-AT_ONCE)
    this.#quiet.delete(socket)
    this.#underWay++
    replies.push(res)
    res.on('close', () => this.#end(res))
    return ahead || this.#cutBytes > 0 ? this.#turnOf(socket, ahead) : undefined
  }

  /** To be called when the whole reply was handed to Node, and the kernel did not take all of it. */
  unread(res: ServerResponse, bytes: number): void {
    const { socket } = res.req
    // Not `res.closed`, which stays false in line behind another when their connection has ended.
    if (!this.repliesOn(socket).includes(res)) return
    socket.setTimeout(STUCK)
    this.#unread.set(res, bytes)
    this.#unreadBytes += bytes
    for (const oldest of this.#unread.keys()) {
      if (this.#unreadBytes <= MAX_UNREAD || oldest === res) return
      this.#cut(oldest)
    }
  }

  /** To be called for an upgrade: what is no HTTP any more is never quiet. */
  upgrade(socket: Duplex): void {
    this.#quiet.delete(socket)
    this.#replies.delete(socket)
  }

  async #turnOf(socket: Duplex, ahead: ServerResponse | undefined): Promise<boolean> {
    if (ahead) await this.#standInLine(socket, ahead)
    // In another turn of the event loop, or the whole pipeline would go ahead of all others.
    do await turn()
    while (this.#cutBytes > 0)
    return !socket.destroyed
  }

  async #standInLine(socket: Duplex, ahead: ServerResponse): Promise<void> {
    if (++this.#inLine > MAX_IN_LINE) socket.destroy()
    await new Promise((resolve) => ahead.once('close', resolve))
    this.#inLine--
  }

  // Its connection has ended with it, perhaps, and was told so before.
  #end(res: ServerResponse): void {
    const { socket } = res.req
    const replies = this.#replies.get(socket) ?? []
    const at = replies.indexOf(res)
    if (at === -1) return
    if (at === 0) replies.shift()
    else replies.splice(at, 1)
    this.#forget(res)
    if (replies.length === 0 && !socket.destroyed) this.#quiet.add(socket)
    else if (socket.writableLength > 0) socket.setTimeout(STUCK) // now the next one goes out
    if (--this.#underWay === 0) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #cut(res: ServerResponse): void {
    const bytes = this.#forget(res)
    this.#cutBytes += bytes
    res.once('close', () => {
      this.#cutBytes -= bytes
    })
    res.req.socket.destroy()
  }

  #forget(res: ServerResponse): number {
    const bytes = this.#unread.get(res)
    if (bytes === undefined) return 0
    this.#unread.delete(res)
    this.#unreadBytes -= bytes
    return bytes
  }

  #enter(socket: Duplex): void {
    this.#size++
    if (this.#size > this.#most) this.#makeRoom(socket)
    if (!socket.destroyed) this.#quiet.add(socket)
  }

  #makeRoom(newcomer: Duplex): void {
    const [quiet] = this.#quiet
    const leaves = quiet ?? this.#firstIdle() ?? newcomer
    this.#quiet.delete(leaves)
    leaves.destroy()
  }

  #firstIdle(): Duplex | undefined {
    for (const [socket, [first]] of this.#replies) {
      if (first && !socket.destroyed && (first.writableEnded || !first.req.complete)) return socket
    }
    return undefined
  }

  #leave(socket: Duplex): void {
    this.#size--
    this.#quiet.delete(socket)
    // Node tells the reply whose turn it is, not those in line behind it.
    for (const res of [...this.repliesOn(socket)]) res.emit('close')
    this.#replies.delete(socket)
  }

  // A client that does not read has to go; a handler may take its time. A body that does not come is
  // 408, for which Node has a limit of its own.
  #giveUp(socket: Duplex): void {
    const [first] = this.repliesOn(socket)
    if (!first || first.writableEnded) socket.destroy()
  }
}
