// The load, a child process of `ws.ts`: `node ws-load.ts LANGUAGE PORT`. It divides its connections
// among threads, since a single one would hardly keep up with the server.

import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Client, came, frame, languages } from './ws-client.ts'

const THREADS = availableParallelism() > 2 ? 2 : 1
const AT_ONCE = 100 // connections that are opened together
const SLOTS = 64 // far more than there are messages under way

const [, , name = '', port] = process.argv
const language = languages[name]!
const clients: Client[] = [] // of this thread
const { thread, had } = (workerData ?? {}) as {
  readonly thread: number
  /** How many have a message, by its number modulo `SLOTS`: of all threads. */
  readonly had: Int32Array
}

async function open(many: number): Promise<Client[]> {
  const opened: Client[] = []
  while (opened.length < many) {
    const next = Array.from({ length: Math.min(AT_ONCE, many - opened.length) }, () =>
      Client.open(Number(port), language),
    )
    opened.push(...(await Promise.all(next)))
  }
  clients.push(...opened)
  return opened
}

async function follow(many: number): Promise<Client[]> {
  const followers = await open(many)
  for (const follower of followers) await follower.ask(frame(language.subscribe), language.ok)
  return followers
}

/** Returns what publishes this message once more. */
async function publisher(data: string): Promise<() => void> {
  const [{ socket }] = (await open(1)) as [Client]
  const message = frame(language.publish(data))
  return () => socket.write(message)
}

let publish = () => {}

/** Never sleeps, so that no write of the server has to wake this thread: across a network none would. */
function spin(): void {
  setImmediate(spin)
}

/** What each thread does, and then tells what came. Numbers of connections are those of all threads. */
const commands = {
  async open(many: number) {
    await open(many / THREADS)
  },
  async drop() {
    for (const client of clients) client.mayClose = true
    await Promise.all(clients.splice(0).map(({ socket }) => once(socket.destroy(), 'close')))
  },
  async echo(many: number) {
    spin()
    const message = frame(language.publish('twenty bytes of text'))
    for (const client of await open(many / THREADS)) {
      client.onMessage = () => client.socket.write(message)
      client.onMessage()
    }
  },
  /** Whoever is the last of all to get a message publishes the next. */
  async follow(many: number) {
    publish = await publisher('x'.repeat(100))
    for (const follower of await follow(many / THREADS)) {
      let number = 0
      follower.onMessage = () => {
        const slot = number++ % SLOTS
        if (Atomics.add(had, slot, 1) + 1 < many) return
        Atomics.store(had, slot, 0)
        publish()
      }
    }
  },
  async publish(many: number) {
    spin()
    if (thread === 0) for (let i = 0; i < many; i++) publish()
  },
  /** So many messages to two, as fast as the first reads them. If the other is stalled, it never does. */
  async flood(many: number, bytes: number, isStalled: boolean) {
    if (thread > 0) return
    const [reader, other] = (await follow(2)) as [Client, Client]
    other.mayClose = true
    if (isStalled) other.socket.pause()
    const publish = await publisher('x'.repeat(bytes))
    const { promise, resolve } = Promise.withResolvers<void>()
    let [sent, read] = [0, 0]
    const next = () => {
      if (sent++ < many) publish()
    }
    reader.onMessage = () => {
      if (++read === many) resolve()
      next()
    }
    for (let i = 0; i < 8; i++) next()
    await promise
  },
  async count() {}, // which all do
}

// — the threads, and who leads them —

export type Count = typeof came & { readonly at: number }
type Command = readonly [name: keyof typeof commands, ...args: never[]]

async function serve([name, ...args]: Command): Promise<void> {
  const command: (...args: never[]) => Promise<void> = commands[name]
  await command(...args)
  parentPort!.postMessage(came)
}

async function lead(): Promise<void> {
  const argv = process.argv.slice(2)
  const had = new Int32Array(new SharedArrayBuffer(4 * SLOTS))
  const threads = Array.from({ length: THREADS }, (_, thread) => {
    return new Worker(import.meta.filename, { argv, workerData: { thread, had } })
  })
  process.once('disconnect', () => process.exit())
  process.on('message', async (command: Command) => {
    const answers = threads.map((thread) => once(thread, 'message'))
    for (const thread of threads) thread.postMessage(command)
    const count = { messages: 0, pings: 0 }
    for (const [{ messages, pings }] of await Promise.all(answers)) {
      count.messages += messages
      count.pings += pings
    }
    const answer: Count = { ...count, at: performance.now() }
    process.send!({ answer })
  })
  process.send!({ answer: undefined })
}

if (isMainThread) await lead()
else parentPort!.on('message', serve)
