// Who is in the rooms, over all servers. Each server writes its own users down in Redis and tells the
// others at once; and every two seconds it says that it lives. The users of one that has not for ten
// seconds are gone, as far as the others are concerned.

import { randomUUID } from 'node:crypto'
import type { Inbox } from '../lib/bus.ts'
import { Tally } from '../lib/tally.ts'

/** Tells Redis and the other servers that a user of this server has come to a room, or has left it. */
export type Announce = (room: string, user: string, isThere: boolean) => void

interface Others {
  /** "SERVER USER" */
  readonly there: Set<string>
  /** Since the room is being read. */
  heard: Map<string, boolean> | undefined
}

export class Members {
  readonly #base = randomUUID()
  readonly #inbox: Inbox
  readonly #announce: Announce
  readonly #own = new Map<string, Tally>() // connections of each user, by room
  readonly #others = new Map<string, Others>() // by room
  #missing: ReadonlySet<string> = new Set() // servers, the last time
  #life = 1

  constructor(inbox: Inbox, announce: Announce) {
    this.#inbox = inbox
    this.#announce = announce
  }

  /** As what this server is known to the others. */
  get server(): string {
    return `${this.#base}.${this.#life}`
  }

  /** What was said last may not have arrived: so it is another server from here on, and the old dies. */
  beginAnew(): void {
    this.#life++
  }

  /** Says who is here: to be called when the others know that this server lives. */
  announceAll(): void {
    for (const [room, own] of this.#own) {
      for (const user of own.keys()) this.#announce(room, user, true)
    }
  }

  isOwn(server: string): boolean {
    return server.startsWith(this.#base)
  }

  join(room: string, user: string): void {
    const own = this.#own.get(room) ?? new Tally()
    this.#own.set(room, own)
    own.add(user)
    if (own.of(user) === 1) this.#announce(room, user, true)
  }

  part(room: string, user: string): void {
    const own = this.#own.get(room)
    own?.remove(user)
    if (own?.of(user) === 0) this.#announce(room, user, false)
    if (own?.size === 0) this.#own.delete(room)
  }

  /** The room is about to be read. */
  expect(room: string): void {
    const { there = new Set<string>() } = this.#others.get(room) ?? {}
    this.#others.set(room, { there, heard: new Map() })
  }

  /** It could not be read. */
  expectNoMore(room: string): void {
    const others = this.#others.get(room)
    if (others) others.heard = undefined
  }

  /** Another server has told it. May come twice. */
  hear(room: string, entry: string, isThere: boolean): void {
    const others = this.#others.get(room)
    if (!others) return
    others.heard?.set(entry, isThere)
    this.#set(room, others, entry, isThere)
  }

  /** All who are in the room, as Redis has it; what was heard while it was read may be newer. */
  load(room: string, entries: readonly string[]): void {
    const others = this.#others.get(room)
    if (!others) return
    const now = new Set(entries)
    for (const [entry, isThere] of others.heard ?? []) isThere ? now.add(entry) : now.delete(entry)
    others.heard = undefined
    for (const entry of others.there) if (!now.has(entry)) this.#set(room, others, entry, false)
    for (const entry of now) this.#set(room, others, entry, true)
  }

  /** Nobody here is in the room any more. */
  forget(room: string): void {
    this.#others.delete(room)
  }

  /**
   * All other servers than these have died; one that is new may not be among them yet, so it counts the
   * second time. Redis forgets their users when somebody looks at the room.
   */
  keep(living: ReadonlySet<string>): void {
    const missing = new Set<string>()
    for (const [room, others] of this.#others) {
      for (const entry of others.there) {
        const server = entry.split(' ')[0]!
        if (living.has(server)) continue
        missing.add(server)
        if (this.#missing.has(server)) this.#set(room, others, entry, false)
      }
    }
    this.#missing = missing
  }

  #set(room: string, { there }: Others, entry: string, isThere: boolean): void {
    const [server = '', user = ''] = entry.split(' ')
    if (this.isOwn(server) || there.has(entry) === isThere) return
    if (isThere) {
      there.add(entry)
      this.#inbox.join(room, user)
    } else {
      there.delete(entry)
      this.#inbox.part(room, user)
    }
  }
}
