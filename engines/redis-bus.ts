// The bus on Redis (7.0 or later). Rooms are there: their messages in a stream each, so that who lost
// its server resumes on another; who is in them; which keys were used. All else that goes to several
// servers is told by pub/sub, and kept nowhere.

import {
  type Bus,
  type BusOf,
  type Inbox,
  isShared,
  type KeyedPublication,
  type Offset,
  unavailable,
} from '../lib/bus.ts'
import type { BusOptions } from '../lib/engines.ts'
import type { Position } from '../lib/protocol.ts'
import { checkPublication } from '../lib/topic.ts'
import { Pulse } from './pulse.ts'
import { inTime, RedisLink } from './redis.ts'
import { Members } from './redis-members.ts'
import { type RoomState, Rooms } from './redis-rooms.ts'
import { type RoomLink, SCRIPTS } from './redis-scripts.ts'
import { RedisStore, SILENCE } from './redis-store.ts'

const BEAT_EVERY = 2_000 // milliseconds

export function busOf(url: string, options: BusOptions): BusOf {
  return (inbox) => new RedisBus(new RedisLink(url, SCRIPTS, options.log), inbox, options)
}

interface Channel {
  /** Until Redis has it. */
  subscribing: Promise<void> | undefined
}

class RedisBus implements Bus {
  readonly hasRooms = true
  readonly #link: RoomLink
  readonly #inbox: Inbox
  readonly #options: BusOptions
  readonly #store: RedisStore
  readonly #prefix: string
  readonly #members: Members
  readonly #rooms: Rooms
  readonly #channels = new Map<string, Channel>() // by topic: those that are followed here
  readonly #pulse: Pulse
  #isUnsure = false // whether the others know all of our members
  #repairing: Promise<void> | undefined

  constructor(link: RoomLink, inbox: Inbox, options: BusOptions) {
    this.#link = link
    this.#inbox = inbox
    this.#options = options
    this.#store = new RedisStore(link, options)
    this.#prefix = this.#store.prefix
    this.#members = new Members(inbox, (...change) => this.#announce(...change))
    this.#rooms = new Rooms(
      inbox,
      (room, known) => this.#read(room, known),
      (room, members) => this.#members.load(room, members),
    )
    this.#pulse = new Pulse({
      every: BEAT_EVERY,
      beat: async () => {
        await this.#beat()
        this.#repairing ??= this.#repair()
      },
      health: link.health,
      reconnect: () => link.reconnect(),
    })
    link.events.on('message', (channel: string, message: string) => this.#hear(channel, message))
  }

  async open(): Promise<void> {
    await this.#link.connect((wasCut) => this.#opened(wasCut))
    this.#pulse.start()
  }

  get problem(): string | undefined {
    return this.#link.health.problem
  }

  publish(topic: string, publication: KeyedPublication): Offset | Promise<Offset> {
    if (!isShared(topic)) return this.#inbox.deliver(topic, publication)
    const isKept = isRoom(topic) && !publication.isTransient
    return isKept ? this.#store.append(topic, publication) : this.#broadcast(topic, publication)
  }

  follow(topic: string, since: Position | undefined): Promise<void> | undefined {
    if (!isShared(topic)) return undefined
    const channel = this.#channels.get(topic) ?? this.#subscribe(topic)
    const update = () => {
      const isLeft = this.#channels.get(topic) !== channel // meanwhile, and nobody waits for it
      return isRoom(topic) && !isLeft ? this.#rooms.follow(topic, since) : undefined
    }
    return channel.subscribing ? channel.subscribing.then(update) : update()
  }

  leave(topic: string): void {
    if (!this.#channels.delete(topic)) return
    this.#rooms.leave(topic)
    this.#members.forget(topic)
    this.#link.events.unsubscribe(this.#prefix + topic).catch(ignore) // away, it forgets by itself
  }

  join(room: string, user: string): void {
    this.#members.join(room, user)
  }

  part(room: string, user: string): void {
    this.#members.part(room, user)
  }

  async close(): Promise<void> {
    this.#pulse.stop()
    const leaving = this.#link.commands.zrem(`${this.#prefix}servers`, this.#members.server)
    await inTime(leaving).catch(ignore)
    this.#link.close()
  }

  // To the others first: what they don't get counts as not sent.
  async #broadcast(topic: string, publication: KeyedPublication): Promise<Offset> {
    checkPublication(topic, publication)
    const message = `b ${this.#members.server} ${JSON.stringify(publication)}`
    await this.#store.tell(topic, message)
    const isHere = !isRoom(topic) || this.#channels.has(topic)
    return isHere ? this.#inbox.deliver(topic, publication) : undefined
  }

  async #read(room: string, known: Position | undefined): Promise<RoomState> {
    this.#members.expect(room)
    try {
      return await this.#store.read(room, known)
    } catch (error) {
      this.#members.expectNoMore(room)
      throw error
    }
  }

  #subscribe(topic: string): Channel {
    const subscribing = inTime(this.#link.events.subscribe(this.#prefix + topic)).then(
      () => {
        channel.subscribing = undefined
      },
      (error) => {
        if (this.#channels.get(topic) === channel) this.leave(topic) // it may yet be subscribed
        throw unavailable(error)
      },
    )
    const channel: Channel = { subscribing }
    this.#channels.set(topic, channel)
    return channel
  }

  #hear(channel: string, message: string): void {
    const topic = channel.slice(this.#prefix.length)
    const [, kind, who = '', rest = ''] = /^(\w) (\S+) (.*)$/s.exec(message) ?? []
    if (kind === 'm') {
      const end = rest.indexOf(' ')
      const offset = Number(rest.slice(0, end))
      this.#rooms.hear(topic, { epoch: who, offset }, rest.slice(end + 1))
    } else if (kind === 'j' || kind === 'p') {
      this.#members.hear(topic, `${who} ${rest}`, kind === 'j')
    } else if (kind === 'b' && !this.#members.isOwn(who)) {
      this.#deliver(topic, rest)
    }
  }

  #deliver(topic: string, json: string): void {
    if (!this.#channels.has(topic)) return // left meanwhile
    try {
      this.#inbox.deliver(topic, JSON.parse(json))
    } catch (error) {
      this.#options.log.error('a message of another server is lost', { topic, error })
    }
  }

  #announce(room: string, user: string, isThere: boolean): void {
    const entry = `${this.#members.server} ${user}`
    const key = `${this.#prefix}in:${room}`
    const change = this.#link.commands.pipeline()
    if (isThere) change.sadd(key, entry)
    else change.srem(key, entry)
    change.publish(this.#prefix + room, `${isThere ? 'j' : 'p'} ${entry}`)
    const isWrong = ([error]: [Error | null, unknown]) => error !== null
    change.exec().then(
      (results) => {
        this.#isUnsure ||= results?.some(isWrong) ?? true
      },
      () => {
        this.#isUnsure = true
      },
    )
  }

  // Both connections are there, again maybe: whatever was missed meanwhile is looked for.
  async #opened(wasCut: boolean): Promise<void> {
    const topics = [...this.#channels.keys()]
    const channels = topics.map((topic) => this.#prefix + topic)
    if (channels.length > 0) await inTime(this.#link.events.subscribe(...channels))
    if (wasCut) this.#inbox.interrupt(topics.filter((topic) => !isRoom(topic)))
    this.#isUnsure = true
    await this.#beat()
    await this.#rooms.update()
  }

  async #beat(): Promise<void> {
    const { commands, events, run } = this.#link
    if (run === '') throw new Error('Redis is away')
    const beat = () => inTime(commands.beat(this.#prefix, this.#members.server, SILENCE))
    const [answer] = await Promise.all([beat(), inTime(events.ping())])
    const [wasKnown, living] = answer as [number, string[]]
    this.#members.keep(new Set(living))
    if (wasKnown && !this.#isUnsure) return
    this.#isUnsure = true // until all of this is done
    this.#members.beginAnew()
    await beat()
    this.#isUnsure = false // unless one of these fails
    this.#members.announceAll()
    this.#rooms.doubt() // who has forgotten us may have forgotten them
  }

  // What could not be read is read again. The next beat does not wait for it.
  async #repair(): Promise<void> {
    try {
      await this.#rooms.update()
    } catch (error) {
      this.#link.health.failed(error)
    } finally {
      this.#repairing = undefined
    }
  }
}

function isRoom(topic: string): boolean {
  return topic.startsWith('room:')
}

function ignore(): void {}
