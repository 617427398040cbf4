// One thread of the load (see `ws-load.ts`): what it is told to do with its part of the connections.

import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { Client, came, frame, languages } from './ws-client.ts'

export interface Part {
  readonly language: string
  readonly thread: number
  readonly threads: number
  /** How many have a message, by its number modulo the slots: of all threads. */
  readonly had: Int32Array
}

export type Command = readonly [name: keyof typeof commands, ...args: number[]]

const AT_ONCE = 100 // connections that are opened together
const ROOM = 'bench'
const DATA = 'x'.repeat(100)

const { language: name, thread, threads, had } = workerData as Part
const language = languages[name]!
const clients: Client[] = []
let port = 0

async function open(many: number): Promise<Client[]> {
  const opened: Client[] = []
  while (opened.length < many) {
    const next = Array.from({ length: Math.min(AT_ONCE, many - opened.length) }, () =>
      Client.open(port, language),
    )
    opened.push(...(await Promise.all(next)))
  }
  clients.push(...opened)
  return opened
}

/** The part of this thread. */
function share(many: number): number {
  return Math.floor(many / threads) + (thread < many % threads ? 1 : 0)
}

/** Never sleeps, so that no write of the server has to wake this thread: across a network none would. */
function spin(): void {
  setImmediate(spin)
}

function rooms(many: number): string[] {
  return Array.from({ length: many }, (_, number) => `${ROOM}${number}`)
}

// Ends with the process.
async function keepPublishing(client: Client, messages: Buffer[], from: number): Promise<never> {
  for (let at = from; ; at++) await client.ask(messages[at % messages.length]!, language.ok)
}

let publish = () => {}

/** Numbers of connections are those of all threads. */
const commands = {
  /** First of all. Of several servers each thread has one. */
  async use(...servers: number[]) {
    port = servers[thread % servers.length]!
  },

  async open(many: number) {
    await open(share(many))
  },

  async drop() {
    for (const client of clients) client.mayClose = true
    await Promise.all(clients.splice(0).map(({ socket }) => once(socket.destroy(), 'close')))
  },

  /** Each sends the next message when it has its echo. */
  async echo(many: number) {
    const message = frame(language.publish('twenty bytes of text', ROOM))
    for (const client of await open(share(many))) {
      client.onMessage = () => client.socket.write(message)
      client.onMessage()
    }
    spin()
  },

  /** Whoever is the last of all to get a message publishes the next. */
  async follow(many: number) {
    const [publisher] = (await open(1)) as [Client]
    const message = frame(language.publish(DATA, ROOM))
    publish = () => publisher.socket.write(message)
    const followers = await open(share(many))
    const subscribe = frame(language.subscribe(ROOM))
    await Promise.all(followers.map((follower) => follower.ask(subscribe, language.ok)))
    for (const follower of followers) {
      let number = 0
      follower.onMessage = () => {
        const slot = number++ % had.length
        if (Atomics.add(had, slot, 1) + 1 < many) return
        Atomics.store(had, slot, 0)
        publish()
      }
    }
  },

  /** So many messages are under way from here on. */
  async publish(many: number) {
    if (thread === 0) for (let i = 0; i < many; i++) publish()
    spin()
  },

  /** One connection reads so many rooms. */
  async read(many: number) {
    if (thread > 0) return
    const [reader] = (await open(1)) as [Client]
    for (const room of rooms(many)) await reader.ask(frame(language.subscribe(room)), language.ok)
  },

  /** Each publishes to one room after the other, once the last message was answered. */
  async write(publishers: number, many: number) {
    const messages = rooms(many).map((room) => frame(language.publish(DATA, room)))
    const writers = await open(share(publishers))
    for (const [number, writer] of writers.entries()) {
      keepPublishing(writer, messages, Math.floor((many * number) / writers.length))
    }
    spin()
  },

  /** Which all do. */
  async count() {},
}

parentPort!.on('message', async ([name, ...args]: Command) => {
  const command: (...args: number[]) => Promise<void> = commands[name]
  await command(...args)
  parentPort!.postMessage(came)
})
