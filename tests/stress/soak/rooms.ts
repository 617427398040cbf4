// Rooms: clients of the page that talk, behind a network which cuts some of them at any moment, and lets
// others wait for what was said, so long that the server closes them. Each has to hear every message once
// and in order, or be told that it could not.

import { type Json, type Scope, until } from '../../helpers.ts'
import { type Network, startNetwork } from '../../network.ts'
import { type Client, PageClient } from '../../page-client.ts'
import type { World } from './world.ts'

const CUT_EVERY = 500 // milliseconds at most
const STALL = 12_000 // milliseconds at most: then the kernel's buffers are full, and the server's, too
const SETTLE = 30_000 // milliseconds: the client waits 15 s at most until it tries again

interface Kind {
  readonly room: string
  readonly clients: number
  readonly talkers: number
  readonly bytes: number // of one message
  readonly pause: number // milliseconds at most between two of one talker
}

const CHATS: Kind[] = ['tea', 'coffee', 'milk'].map((name) => ({
  room: `room:${name}`,
  clients: 4,
  talkers: 3,
  bytes: 100,
  pause: 200,
}))
const LOUD: Kind = { room: 'room:loud', clients: 3, talkers: 2, bytes: 60_000, pause: 100 }

export class Rooms {
  readonly #world: World
  readonly #clients: Client[] = []
  readonly #rooms: Room[] = []

  constructor(world: World) {
    this.#world = world
  }

  async run(scope: Scope): Promise<void> {
    const [bad, slow] = [
      await startNetwork(scope, this.#world.url),
      await startNetwork(scope, this.#world.url),
    ]
    const good = `${this.#world.url.replace('http', 'ws')}/ws`
    const loads = [this.#cut(bad), this.#stall(slow)]
    for (const kind of [...CHATS, LOUD]) {
      const room = new Room(this.#world, kind)
      this.#rooms.push(room)
      const network = kind === LOUD ? slow : bad
      for (let n = 0; n < kind.clients; n++) room.follow(this.#join(network.url))
      room.follow(this.#join(good), 'witness')
      // Those of the loud room talk over a good line, or little would be said in it.
      const way = kind === LOUD ? good : bad.url
      for (let n = 0; n < kind.talkers; n++) loads.push(room.talk(this.#join(way)))
    }
    await Promise.all(loads)
    await Promise.all(this.#rooms.map((room) => room.settle()))
  }

  check(): void {
    for (const room of this.#rooms) room.check()
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  #join(url: string): Client {
    const client = new PageClient(`${url}?user=user-${this.#clients.length}`)
    this.#clients.push(client)
    return client
  }

  #cut(network: Network): Promise<void> {
    const dice = this.#world.dice()
    return this.#world.repeat(CUT_EVERY, dice, async () => {
      const cut = network.cut(() => dice.percent(5))
      for (let n = 0; n < cut; n++) this.#world.count('clients cut')
    })
  }

  #stall(network: Network): Promise<void> {
    const dice = this.#world.dice()
    return this.#world.repeat(STALL / 4, dice, async () => {
      const goOn = network.stall(() => dice.percent(60))
      await this.#world.pause(dice.upTo(STALL))
      goOn()
      this.#world.count('stalls')
    })
  }
}

/** What one client heard: that it starts, with everything or not, and messages by their offsets. */
type Heard = { readonly recovered: boolean } | { readonly offset: number; readonly said: string }

class Room {
  readonly #world: World
  readonly #kind: Kind
  readonly #ears: { readonly who: string; readonly heard: Heard[] }[] = []
  /** What was answered ok, by its offset. */
  readonly #said = new Map<number, string>()

  constructor(world: World, kind: Kind) {
    this.#world = world
    this.#kind = kind
  }

  follow(client: Client, who = `reader ${this.#ears.length}`): void {
    const heard: Heard[] = []
    this.#ears.push({ who, heard })
    client.subscribe(this.#kind.room, {
      onStart: ({ recovered }: Json) => {
        heard.push({ recovered })
        this.#world.count(`came to a room, ${recovered ? 'recovered' : 'anew'}`)
      },
      onMessage: ({ offset, data }: Json) => {
        heard.push({ offset, said: data.split(' ', 1)[0] })
        this.#world.count('messages heard')
      },
    })
  }

  async talk(client: Client): Promise<void> {
    const { bytes, pause, room } = this.#kind
    const dice = this.#world.dice()
    const who = Math.floor(dice.upTo(1e9))
    const under = new Set<Promise<void>>()
    let n = 0
    await this.#world.repeat(pause, dice, async () => {
      if (under.size > 50) return
      const word = `${who}-${n++}`
      const said = client
        .publish(room, `${word} ${'x'.repeat(bytes)}`)
        .then((offset) => this.#note(offset!, word))
        .catch((error) => this.#world.expect(false, `${room}: ${word} was refused: ${error}`))
        .finally(() => under.delete(said))
      under.add(said)
    })
    await Promise.all(under)
  }

  /** Waits until everybody has heard the last message. */
  async settle(): Promise<void> {
    const last = Math.max(0, ...this.#said.keys())
    const deadline = performance.now() + SETTLE
    const isThere = (heard: Heard[]) =>
      heard.some((one) => 'offset' in one && one.offset >= last) || last === 0
    await until(
      () => this.#ears.every(({ heard }) => isThere(heard)) || performance.now() > deadline,
    )
    for (const { who, heard } of this.#ears) {
      this.#world.expect(isThere(heard), `${this.#kind.room}: ${who} did not hear the last message`)
    }
  }

  check(): void {
    for (const { who, heard } of this.#ears) this.#checkOrder(`${this.#kind.room}: ${who}`, heard)
    const witness = this.#ears.find(({ who }) => who === 'witness')!
    const all = new Set(witness.heard.flatMap((one) => ('offset' in one ? one.offset : [])))
    for (const [offset, word] of this.#said) {
      this.#world.expect(
        all.has(offset),
        `${this.#kind.room}: ${word} (${offset}) was not delivered`,
      )
    }
  }

  #note(offset: number, word: string): void {
    const other = this.#said.get(offset)
    this.#world.expect(other === undefined, `${offset} is the offset of ${other} and of ${word}`)
    this.#said.set(offset, word)
    this.#world.count('messages said')
  }

  #checkOrder(who: string, heard: Heard[]): void {
    let last = 0
    let mayMiss = true
    for (const one of heard) {
      if ('recovered' in one) {
        if (!one.recovered) mayMiss = true
        continue
      }
      const isNext = mayMiss ? one.offset > last : one.offset === last + 1
      this.#world.expect(isNext, `${who} heard ${one.offset} after ${last}`)
      const said = this.#said.get(one.offset)
      this.#world.expect(!said || said === one.said, `${who} heard ${one.said}, said was ${said}`)
      last = one.offset
      mayMiss = false
    }
  }
}
