// The promise of the journal, held against a disk that fails: a server is asked for tasks, cancels and
// a retry over HTTP, while one call on its journal fails or is its end. Then it starts again on a disk
// that is well: what was acknowledged has to be there, and nothing that was not sent.

import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { type Json, type Scope, scoped, startApp, temporaryFolder, until } from '../helpers.ts'
import { type Call, type DiskFault, type Looked, spawnFaulty } from './faulty-disk.ts'

export interface Situation {
  /** Where the server is compiled. */
  readonly server: string
  /** A journal to begin with. */
  readonly journal?: string
  /** What of it has to be there. */
  readonly book: Book
  /** What it is asked for. */
  readonly drive: (client: Client) => Promise<void>
}

/** What was sent, and what of it was acknowledged. */
export class Book {
  /** What `write-log` may have written. */
  readonly lines = new Set<string>()
  /** How many tasks were sent, by name. */
  readonly sent: Record<string, number> = {}
  /** Id → the states that it may have in the end. */
  readonly owed = new Map<string, readonly string[]>()
  /** When each POST and DELETE began, and the status of its answer. */
  readonly answers: { at: number; status: number }[] = []

  static copy({ sent, owed }: Book): Book {
    const copy = new Book()
    Object.assign(copy.sent, sent)
    for (const [id, states] of owed) copy.owed.set(id, states)
    return copy
  }
}

const CLOSED = /^the journal is closed until a restart/
const UNCOMPACTED = /^the journal could not be compacted/
const EITHER = ['succeeded', 'cancelled']

/** Asks a server that may be gone, and writes down what it was told. */
export class Client {
  readonly #url: string
  readonly #book: Book
  readonly #gone: AbortSignal | null

  constructor(url: string, book: Book, gone: AbortSignal | null = null) {
    this.#url = url
    this.#book = book
    this.#gone = gone
  }

  /** Undefined if the server is gone. */
  async ask(method: string, path: string, body?: object): Promise<Json | undefined> {
    const at = Date.now()
    const headers = { 'content-type': 'application/json' }
    const options = { method, headers, body: body ? JSON.stringify(body) : null }
    try {
      const reply = await fetch(this.#url + path, { ...options, signal: this.#gone })
      const { status } = reply
      const answer: Json = await reply.json()
      if (method !== 'GET') this.#book.answers.push({ at, status })
      return { ...answer, status }
    } catch {
      return undefined
    }
  }

  /** Resolves to the id of a task that was accepted. */
  async add(name: string, path: string, body?: object): Promise<string | undefined> {
    const { sent, owed, lines } = this.#book
    sent[name] = (sent[name] ?? 0) + 1
    lines.add(`Processed: ${JSON.stringify(body)}`)
    const answer = await this.ask('POST', path, body)
    if (answer?.status !== 202) return undefined
    owed.set(answer.id, ['succeeded'])
    return answer.id
  }

  /** Resolves to the id of a task that was cancelled. */
  async cancel(id: string | undefined): Promise<string | undefined> {
    if (!(await this.#change(id, 'DELETE', `/tasks/${id}`, 'cancelled'))) return undefined
    await until(async () => (await this.ask('GET', `/tasks/${id}`))?.endedAt !== null)
    return id
  }

  async retry(id: string | undefined): Promise<void> {
    await this.#change(id, 'POST', `/tasks/${id}/retry`, 'succeeded')
  }

  async #change(id: string | undefined, method: string, path: string, end: string) {
    if (id === undefined) return false
    this.#book.owed.set(id, EITHER) // until that is answered
    const answer = await this.ask(method, path)
    if (answer?.status !== 202) return false
    this.#book.owed.set(id, [end])
    return true
  }
}

export type Sweep = readonly [
  what: string,
  calls: readonly Call[],
  effects: readonly DiskFault['what'][],
]

const SIDE_BY_SIDE = 4

/** One test for each call and effect: the first time it is made fails, the second, … until none does. */
export function sweepAll(sweeps: readonly Sweep[], make: () => Situation, isTraced?: boolean) {
  describe('side by side', { concurrency: SIDE_BY_SIDE }, () => {
    for (const [what, calls, effects] of sweeps) {
      for (const call of calls) {
        for (const effect of effects) {
          const title = `${what} (${call}, ${effect}) loses nothing that was acknowledged`
          test(title, () => sweep(make(), call, effect, isTraced))
        }
      }
    }
  })
}

async function sweep(
  situation: Situation,
  call: Call,
  what: DiskFault['what'],
  isTraced?: boolean,
): Promise<void> {
  let isStruck = true
  for (let nth = 1; isStruck; nth++) {
    isStruck = await survive(situation, { call, what, nth }, isTraced).catch((cause) => {
      throw new Error(`at call ${nth}: ${cause.message}`, { cause })
    })
  }
}

/** One run with one fault, and what is left of it. Resolves to whether the fault was met. */
export async function survive(
  { server, journal, book: before, drive }: Situation,
  fault: DiskFault,
  isTraced?: boolean,
): Promise<boolean> {
  let isStruck = false
  await scoped(async (t) => {
    const folder = await temporaryFolder(t)
    const files = { JOURNAL: join(folder, 'new', 'journal'), WORK_FILE: join(folder, 'log.txt') }
    if (journal) {
      await mkdir(dirname(files.JOURNAL))
      await copyFile(journal, files.JOURNAL)
      await writeFile(`${files.JOURNAL}.new`, 'begun, and not finished')
    }
    const env = { ...files, WORK_SECONDS: '0', NOTIFY_SECONDS: '60', DRAIN_SECONDS: '0.2' }
    const book = Book.copy(before)
    const start = () => spawnFaulty(t, server, env, fault, isTraced)
    const { url, gone, end } = await start()
    if (url) await run(new Client(url, book, gone), book, drive)
    const looked = await end()
    checkRun(book, fault, looked)
    if (!url) await (await start()).end() // which fails again, and then is no longer the first
    await checkRestarts(t, files, book)
    isStruck = looked.strikes > 0
  })
  return isStruck
}

async function run(client: Client, { answers }: Book, drive: Situation['drive']): Promise<void> {
  await drive(client)
  if (!answers.some(({ status }) => status === 503)) return
  assert.equal((await client.ask('GET', '/healthz'))?.status, 200)
  assert.equal((await client.ask('GET', '/readyz'))?.status, 503)
  assert.equal((await client.ask('POST', '/notify/eve'))?.status, 503)
}

function checkRun({ answers }: Book, { call, what }: DiskFault, looked: Looked): void {
  const { code, signal, entries, strikes } = looked
  const errors = entries.filter(({ level }) => level === 'error')
  const isAllTaken = answers.every(({ status }) => status === 202)
  assert.ok(strikes <= 1, 'what has failed is not asked again')
  if (strikes === 0 || what === 'SIGKILL') {
    assert.deepEqual([code, signal], strikes === 1 ? [null, 'SIGKILL'] : [0, null])
    assert.deepEqual([errors, isAllTaken], [[], true])
    return
  }
  // A look for a file that is to be removed, for instance.
  if (call === 'stat' && errors.length === 0) return assert.ok(isAllTaken)
  assert.equal(errors.length, 1, `expected one clear line, got ${JSON.stringify(errors)}`)
  const [{ time, message }] = errors
  assert.equal(signal, null)
  const hasStarted = entries.some((entry) => entry.message === 'listening')
  if (!hasStarted) return assert.equal(code, 1)
  if (UNCOMPACTED.test(message)) return assert.ok(isAllTaken)
  assert.match(message, CLOSED)
  const late = answers.filter(({ at }) => at > Date.parse(time))
  assert.ok(
    late.every(({ status }) => status === 503),
    'acknowledged after the failure',
  )
}

async function checkRestarts(
  t: Scope,
  files: { JOURNAL: string; WORK_FILE: string },
  { sent, owed, lines }: Book,
): Promise<void> {
  const states: string[][] = []
  for (let start = 0; start < 2; start++) {
    const app = await startApp(t, files)
    await app.tasks.idle()
    const { tasks } = await app.tasks.list({ limit: 1_000 })
    await app.close()
    for (const [name, count] of Object.entries(sent)) {
      const found = tasks.filter((task) => task.name === name).length
      assert.ok(found <= count, `there are ${found} of ${name}, and ${count} were sent`)
    }
    const stateOf = (id: string) => tasks.find((task) => task.id === id)?.state ?? 'lost'
    for (const [id, possible] of owed) {
      const state = stateOf(id)
      assert.ok(possible.includes(state), `expected ${id} to be ${possible}, it is ${state}`)
    }
    states.push([...owed.keys()].map(stateOf))
  }
  assert.deepEqual(states[0], states[1])
  const written = await readFile(files.WORK_FILE, 'utf8').catch(() => '')
  for (const line of written.split('\n').slice(0, -1)) assert.ok(lines.has(line), line)
}
