// Copies of the rooms that somebody here follows. Redis has the messages; each is also told to the
// servers as it comes (pub/sub, which may lose some). Their offsets show what is missing, and that is
// read from Redis: so a copy has every message, once and in order, or it is known that it can't.

import type { Inbox } from '../lib/bus.ts'
import type { Position, ProtocolError } from '../lib/protocol.ts'

/** A room as Redis has it: all that it keeps, or, of the epoch that was asked for, what came since. */
export interface RoomState {
  readonly position: Position
  readonly texts: readonly string[]
  readonly members: readonly string[]
}

/** Reads a room from Redis. Rejects with a `ProtocolError`. */
export type ReadRoom = (room: string, known: Position | undefined) => Promise<RoomState>

const READ_AT_ONCE = 50

interface Copy {
  readonly room: string
  /** Undefined until it was read, and when its past is void. */
  position: Position | undefined
  /** Of a message that came while it was being read. */
  newest: Position | undefined
  reading: Promise<void> | undefined
  /** It may lack something. */
  isDoubtful: boolean
}

export class Rooms {
  readonly #copies = new Map<string, Copy>()
  readonly #inbox: Inbox
  readonly #read: ReadRoom
  readonly #onMembers: (room: string, members: readonly string[]) => void

  constructor(
    inbox: Inbox,
    read: ReadRoom,
    onMembers: (room: string, members: readonly string[]) => void,
  ) {
    this.#inbox = inbox
    this.#read = read
    this.#onMembers = onMembers
  }

  /** Resolves when the copy is at least as new as `since`; undefined: it is. */
  follow(room: string, since: Position | undefined): Promise<void> | undefined {
    const copy = this.#copies.get(room) ?? this.#make(room)
    const { position } = copy
    const isAhead = since && since.epoch === position?.epoch && since.offset > position.offset
    return position && !isAhead ? undefined : this.#update(copy)
  }

  leave(room: string): void {
    this.#copies.delete(room)
  }

  /** Any of them may have missed something. */
  doubt(): void {
    for (const copy of this.#copies.values()) copy.isDoubtful = true
  }

  /** Looks for what the doubtful ones have missed. Rejects if Redis does not say. */
  async update(): Promise<void> {
    const doubtful = [...this.#copies.values()].filter(({ isDoubtful }) => isDoubtful)
    while (doubtful.length > 0) {
      const some = doubtful.splice(0, READ_AT_ONCE)
      const current = some.filter((copy) => this.#copies.get(copy.room) === copy)
      await Promise.all(current.map((copy) => this.#update(copy).catch(unlessRefused)))
    }
  }

  hear(room: string, position: Position, text: string): void {
    const copy = this.#copies.get(room)
    if (!copy) return
    if (copy.reading) {
      copy.newest = position
      return
    }
    const ahead = aheadOf(copy.position, position)
    if (ahead === 1) this.#append(copy, position, text)
    else if (ahead > 1) this.#update(copy).catch(() => {}) // it stays doubtful
  }

  #make(room: string): Copy {
    const nothing = { position: undefined, newest: undefined, reading: undefined }
    const copy: Copy = { room, ...nothing, isDoubtful: true }
    this.#copies.set(room, copy)
    return copy
  }

  #update(copy: Copy): Promise<void> {
    copy.isDoubtful = true
    copy.reading ??= this.#readOn(copy)
      .catch((error) => this.#refused(copy, error))
      .finally(() => {
        copy.reading = undefined
      })
    return copy.reading
  }

  // A room that can't be had again has no past.
  #refused(copy: Copy, error: ProtocolError): never {
    const isCurrent = this.#copies.get(copy.room) === copy
    if (isCurrent && copy.position && error.code !== 'unavailable') {
      copy.position = undefined
      this.#inbox.interrupt([copy.room])
    }
    throw error
  }

  // Until nothing has come while it was being read that it does not have.
  async #readOn(copy: Copy): Promise<void> {
    do {
      copy.newest = undefined
      const state = await this.#read(copy.room, copy.position)
      if (this.#copies.get(copy.room) !== copy) return // left meanwhile
      this.#take(copy, state)
    } while (copy.newest && aheadOf(copy.position, copy.newest) > 0)
    copy.isDoubtful = false
  }

  #take(copy: Copy, { position, texts, members }: RoomState): void {
    const { room, position: known } = copy
    const isSame = known?.epoch === position.epoch
    const first = position.offset - texts.length + 1
    if (isSame && first === known.offset + 1) {
      for (const [at, text] of texts.entries()) this.#inbox.append(room, first + at, text)
    } else {
      if (known) this.#inbox.interrupt([room])
      this.#inbox.load(room, position, texts)
    }
    copy.position = position
    this.#onMembers(room, members)
  }

  #append(copy: Copy, position: Position, text: string): void {
    copy.position = position
    this.#inbox.append(copy.room, position.offset, text)
  }
}

// One room is not: then it is not for the others to wait for.
function unlessRefused(error: ProtocolError): void {
  if (error.code === 'unavailable') throw error
}

// How many messages it is ahead; Infinity if that can't be told.
function aheadOf(known: Position | undefined, position: Position): number {
  if (known?.epoch !== position.epoch) return Number.POSITIVE_INFINITY
  return position.offset - known.offset
}
