// The promise of the journal, held against SIGKILL: real processes, killed at random moments, under
// load or while they start. What was acknowledged has ended after restarts, and nothing else has.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { jsonOf, post, spawnProgram, temporaryFolder, until } from '../helpers.ts'

const SERVERS = 4 // side by side, each with a journal of its own
const ROUNDS = 13 // for each of them
const CLIENTS = 10
const HANG = 5_000 // milliseconds

const SERVER = ['--import', 'tsx', 'server.ts']
const SMALL = ['--max-old-space-size=64', ...SERVER] // X13

interface Book {
  readonly sent: Set<number>
  /** Number → id of its task. */
  readonly accepted: Map<number, string>
}

/** Sends jobs, one after the other, until the server is gone. */
async function produce(url: string, book: Book, signal: AbortSignal): Promise<void> {
  for (;;) {
    const n = book.sent.size
    book.sent.add(n)
    try {
      const reply = await post(`${url}/process`, { n }, {}, signal)
      const { id } = await jsonOf(reply)
      if (reply.status === 202) book.accepted.set(n, id)
      else await delay(1)
    } catch {
      return
    }
  }
}

async function killUnderLoad(t: TestContext, env: NodeJS.ProcessEnv, book: Book): Promise<void> {
  const program = Math.random() < 0.25 ? SMALL : SERVER
  const { child, exited, line } = spawnProgram(t, env, program)
  const { url } = await line('listening')
  const isOver = new AbortController()
  const before = book.accepted.size
  const clients = Array.from({ length: CLIENTS }, () => produce(url, book, isOver.signal))
  await until(() => book.accepted.size >= before + 2) // under load, however busy the machine is
  await delay(Math.random() * 200)
  child.kill('SIGKILL')
  await exited
  // On a busy machine a `fetch` of Node 20 sometimes waits on for a server that is gone.
  const late = setTimeout(() => isOver.abort(), HANG)
  await Promise.all(clients)
  clearTimeout(late)
}

async function killAtStart(t: TestContext, env: NodeJS.ProcessEnv): Promise<void> {
  const { child, exited } = spawnProgram(t, env, SERVER)
  await delay(Math.random() * 600)
  child.kill('SIGKILL')
  await exited
}

async function finish(
  t: TestContext,
  env: NodeJS.ProcessEnv,
): Promise<(id: string) => Promise<string>> {
  const { url } = await spawnProgram(t, env, SERVER).line('listening')
  const count = async (state: string) =>
    (await jsonOf(fetch(`${url}/tasks?limit=1&state=${state}`))).tasks.length
  await until(async () => (await count('queued')) + (await count('running')) === 0)
  return async (id) => (await jsonOf(fetch(`${url}/tasks/${id}`))).state
}

async function survive(t: TestContext): Promise<void> {
  const folder = await temporaryFolder(t)
  const env = {
    PORT: '0',
    WORK_SECONDS: '0.01',
    JOURNAL: join(folder, 'tasks.journal'),
    WORK_FILE: join(folder, 'log.txt'),
    KEEP: '100000',
  }
  const book: Book = { sent: new Set(), accepted: new Map() }
  for (let round = 0; round < ROUNDS; round++) {
    await killUnderLoad(t, env, book)
    if (round % 4 === 0) await killAtStart(t, env)
  }

  const stateOf = await finish(t, env)
  const lines = (await readFile(env.WORK_FILE, 'utf8')).trimEnd().split('\n')
  const done = new Set(lines.map((line) => JSON.parse(line.slice('Processed: '.length)).n))
  assert.ok(book.accepted.size > ROUNDS, `accepted ${book.accepted.size}`)
  for (const [n, id] of book.accepted) {
    if (!done.has(n)) assert.equal(await stateOf(id), 'failed', `${id}, job ${n}`)
  }
  for (const n of done) assert.ok(book.sent.has(n), `job ${n} was never sent`)
}

test('X6: kill -9 at any moment, 52 times under load, loses nothing that was acknowledged', async (t) => {
  const all = await Promise.allSettled(Array.from({ length: SERVERS }, () => survive(t)))
  for (const one of all) assert.equal(one.status === 'rejected' ? one.reason : undefined, undefined)
})

test('T21: a task that kills the process ends as failed, the seven beside it succeed', async (t) => {
  const env = { PORT: '0', JOURNAL: join(await temporaryFolder(t), 'tasks.journal') }
  const program = `
    import { readSettings } from './lib/config.ts'
    import { createApp } from './server.ts'
    import { defineTask } from './tasks.ts'
    let running = 0
    const work = defineTask('work', async (isCulprit, context) => {
      running++
      while (process.env.FIRST && !(isCulprit && running === 8)) await context.sleep(1)
      if (isCulprit) process.kill(process.pid, 'SIGKILL')
    })
    const app = await createApp(readSettings(), { definitions: [work] })
    if (process.env.FIRST) for (let i = 0; i < 8; i++) await app.tasks.add(work, i === 3)
    await app.tasks.idle()
    app.log.info('idle')`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  await spawnProgram(t, { ...env, FIRST: 'yes' }, args).exited
  let starts = 1
  let url: string | undefined
  while (!url && starts++ < 20) {
    const { line } = spawnProgram(t, env, args)
    const listening = await line('listening')
    url = await line('idle').then(
      () => listening.url,
      () => undefined,
    )
  }

  const { tasks } = await jsonOf(fetch(`${url}/tasks`))
  const states = tasks.map((task: { state: string }) => task.state)
  assert.deepEqual(states.toSorted(), ['failed', ...Array(7).fill('succeeded')])
  const failed = tasks.find((task: { state: string }) => task.state === 'failed')
  assert.equal(failed.error.name, 'InterruptedError')
  assert.equal(starts, 6, 'one start and five interruptions')
})
