// The way between servers: what is published in a room or to a user goes to the bus, and from there to
// the topics of all. Without `BUS_URL` there is one server, and its bus is the shortest there can be:
// straight back. The others are in `engines/`.
//
//     hub ─▶ Topics.publish ─▶ Bus.publish ─ … ─▶ Inbox of each server ─▶ its topics ─▶ its clients

import { type Position, ProtocolError } from './protocol.ts'

export interface Publication {
  readonly data: unknown
  /** The user; undefined: the server. */
  readonly from?: string | undefined
  /** Without an offset and a history: for what only counts at the moment. */
  readonly isTransient?: boolean | undefined
}

export interface KeyedPublication extends Publication {
  /** A second message with it in one topic has no effect, and the first one's answer. */
  readonly key?: string | undefined
}

/** None for a transient message. */
export type Offset = number | undefined

export interface Bus {
  /**
   * Resolves when it goes, or does not yet: then it tries on, and `problem` says so. Rejects if it never
   * will, with a wrong password for instance.
   */
  open(): Promise<void>
  /** Rooms are on the bus: here one is forgotten when everybody has left, and there it stays. */
  readonly hasRooms: boolean
  /** Why nothing goes over it for now, if so. */
  readonly problem: string | undefined
  /**
   * Brings a publication to all servers, this one included. Gives the offset once all of them will get
   * it. Throws or rejects with a `ProtocolError`: `unavailable` says that nobody can know whether.
   */
  publish(topic: string, publication: KeyedPublication): Offset | Promise<Offset>
  /**
   * Somebody here follows the topic, and had it up to `since`. Resolves when it is at least as new here;
   * undefined: it is. Rejects with a `ProtocolError`.
   */
  follow(topic: string, since: Position | undefined): Promise<void> | undefined
  /** Nobody here follows the topic any more. */
  leave(topic: string): void
  /** A connection of this user has entered the room, or has left it. */
  join(room: string, user: string): void
  part(room: string, user: string): void
  close(): Promise<void>
}

/** What a bus does with the topics of its server. */
export interface Inbox {
  /** A publication whose offset each server counts for itself. Throws a `ProtocolError`. */
  deliver(topic: string, publication: KeyedPublication): Offset
  /** The next message of a room, as JSON. */
  append(room: string, offset: number, text: string): void
  /** A room as the bus has it: what was here before is void. Messages as JSON, the newest last. */
  load(room: string, position: Position, messages: readonly string[]): void
  /** A user is in the room by another server, or is so no more. */
  join(room: string, user: string): void
  part(room: string, user: string): void
  /**
   * Something may be missing, in these topics or in all that are shared. Who follows one is asked to
   * come back, and then told so.
   */
  interrupt(topics?: Iterable<string>): void
}

/** Made with the inbox that it fills. */
export type BusOf = (inbox: Inbox) => Bus

/** The bus of a single server. */
export function embeddedBus(inbox: Inbox): Bus {
  return {
    open: async () => {},
    hasRooms: false,
    problem: undefined,
    publish: (topic, publication) => inbox.deliver(topic, publication),
    follow: () => undefined,
    leave: () => {},
    join: () => {},
    part: () => {},
    close: async () => {},
  }
}

/** Whether it goes over the bus: tasks and figures are told by the server that has them. */
export function isShared(topic: string): boolean {
  return topic.startsWith('room:') || topic.startsWith('user:')
}

/** What a publisher gets to hear when the bus did not confirm. */
export function unavailable(cause: unknown): ProtocolError {
  const detail = 'the bus between the servers does not answer: send it again, with the same key'
  return new ProtocolError('unavailable', detail, { cause })
}
