import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSettings } from '../lib/config.ts'
import { createLog } from '../lib/log.ts'
import type { Reply } from '../lib/reply.ts'
import type { Request } from '../lib/request.ts'
import { type App, createApp } from '../server.ts'
import { defineTask, type Task } from '../tasks.ts'
import {
  connectSocket,
  connectTcp,
  type Json,
  jsonOf,
  latch,
  post,
  spawnProgram,
  startApp,
  temporaryFolder,
  until,
} from './helpers.ts'

/** A job that holds the only slot until it is let go. */
async function holdSlot({ tasks }: App): Promise<() => void> {
  const { opened, open } = latch()
  await tasks.add(() => opened)
  return open
}

test('a job is answered before its work, and its line is in the file afterwards', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const app = await startApp(t, { WORK_FILE: file, CONCURRENCY: '1' })
  const letGo = await holdSlot(app)

  const reply = await post(`${app.url}/process`, '{ "order": 42,\n "items": ["tea"] }')
  const { status, id } = await jsonOf(reply)

  assert.equal(reply.status, 202)
  assert.equal(status, 'accepted')
  assert.equal(reply.headers.get('location'), `/tasks/${id}`)
  assert.equal((await jsonOf(fetch(`${app.url}/tasks/${id}`))).state, 'queued')
  await assert.rejects(readFile(file))
  letGo()
  await app.tasks.idle()
  assert.equal(await readFile(file, 'utf8'), 'Processed: {"order":42,"items":["tea"]}\n')
  assert.equal((await jsonOf(fetch(`${app.url}/tasks/${id}`))).state, 'succeeded')
})

test('who watches a job hears how far it is while it works, until the whole is done', async (t) => {
  const app = await startApp(t, { WORK_SECONDS: '0.2', CONCURRENCY: '1' })
  const letGo = await holdSlot(app)
  const { id } = await jsonOf(post(`${app.url}/process`, {}))
  const watcher = await connectSocket(t, app.url)
  await watcher.ask({ type: 'subscribe', topic: `task:${id}` })

  letGo()
  const seen: Task[] = []
  do seen.push((await watcher.nextOf('message')).data)
  while (!seen.at(-1)!.endedAt)

  const fractions = seen.flatMap(({ state, progress }) =>
    state === 'running' && progress !== null ? progress : [],
  )
  assert.ok(fractions.some((fraction) => fraction > 0 && fraction < 1))
  assert.deepEqual(
    fractions,
    fractions.toSorted((a, b) => a - b),
  )
  assert.equal(seen.at(-1)!.progress, 1)
})

test('fifty jobs at once are all answered before the first ends, and leave fifty lines', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const app = await startApp(t, { WORK_FILE: file, CONCURRENCY: '1' })
  const letGo = await holdSlot(app)

  const replies = await Promise.all(
    Array.from({ length: 50 }, (_, n) => post(`${app.url}/process`, { n })),
  )
  letGo()
  await app.tasks.idle()

  assert.ok(replies.every(({ status }) => status === 202))
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  assert.deepEqual(
    lines.toSorted(),
    Array.from({ length: 50 }, (_, n) => `Processed: {"n":${n}}`).toSorted(),
  )
})

test('a job that throws leaves the others and the server alone', async (t) => {
  const { url, tasks } = await startApp(t)
  const bad = await jsonOf(post(`${url}/process?fail=3`, {}))
  const good = await jsonOf(post(`${url}/process`, {}))
  await tasks.idle()

  const failed = await jsonOf(fetch(`${url}/tasks/${bad.id}`))
  assert.equal(failed.state, 'failed')
  assert.equal(failed.attempt, 3)
  assert.deepEqual(failed.error, { name: 'Error', message: 'attempt 3 fails, as asked for' })
  assert.equal((await jsonOf(fetch(`${url}/tasks/${good.id}`))).state, 'succeeded')
  for (const fail of ['', '-1', 'x', '1e3', '1001']) {
    assert.equal((await post(`${url}/process?fail=${fail}`, {})).status, 422)
  }
})

test('a reply of 5 MB arrives whole while the task behind it blocks', async (t) => {
  const program = `
    import { readSettings } from './lib/config.ts'
    import { createApp } from './server.ts'
    const block = () => {
      const until = performance.now() + 3_000
      while (performance.now() < until);
    }
    const app = await createApp(readSettings(), { routes: { 'GET /big': async ({ replied }) => {
      await app.tasks.add(block, undefined, { after: replied })
      return { status: 200, headers: {}, body: 'x'.repeat(5_000_000) }
    } } })`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const server = spawnProgram(t, { PORT: '0', LOG_LEVEL: 'debug' }, args)
  const { url } = await server.line('listening')

  const first = await Promise.race([
    fetch(`${url}/big`).then(async (reply) => (await reply.arrayBuffer()).byteLength),
    server.line('task succeeded'),
  ])

  assert.equal(first, 5_000_000)
})

for (const path of ['/process', '/notify/alice']) {
  test(`the task of POST ${path} waits for its own reply, and nobody else does`, async (t) => {
    const routes = { 'GET /never': () => new Promise<never>(() => {}) }
    const app = await startApp(t, {}, { routes })
    const socket = connectTcp(app.url)
    const lines =
      'HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
    // In line behind a reply that never comes.
    socket.write(`GET /never HTTP/1.1\r\nHost: localhost\r\n\r\nPOST ${path} ${lines}`)
    await until(() => app.tasks.size > 0)
    const [waiting] = (await app.tasks.list({ limit: 1 })).tasks
    const other = await app.tasks.add(() => 'done')

    await until(async () => (await app.tasks.find(other.id))?.endedAt)
    assert.equal((await app.tasks.find(waiting!.id))?.state, 'queued')
    socket.destroy()
    await app.tasks.idle()
    assert.equal((await app.tasks.find(waiting!.id))?.state, 'succeeded')
  })
}

test('S8, T16: a task runs although its client hung up, exactly once', async (t) => {
  let app: App
  let runs = 0
  const routes = {
    'GET /slow': async ({ replied }: Request): Promise<Reply> => {
      await app.tasks.add(() => runs++, undefined, { after: replied })
      await replied
      return { status: 200, headers: {}, body: 'too late' }
    },
  }
  app = await startApp(t, {}, { routes })
  const socket = connectTcp(app.url)
  socket.write('GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until(() => app.tasks.size > 0)
  assert.equal(runs, 0)
  socket.destroy()
  await app.tasks.idle()
  assert.equal(runs, 1)
})

test('T15: a task that was added runs although the handler then throws', async (t) => {
  let app: App
  let runs = 0
  const routes = {
    'GET /throws': async ({ replied }: Request): Promise<Reply> => {
      await app.tasks.add(() => runs++, undefined, { after: replied })
      throw new Error('after all')
    },
  }
  app = await startApp(t, { LOG_LEVEL: 'silent' }, { routes })
  assert.equal((await fetch(`${app.url}/throws`)).status, 500)
  await app.tasks.idle()
  assert.equal(runs, 1)
})

test('a client that never reads its reply holds its task back for a while only', async (t) => {
  let app: App
  const routes = {
    'GET /big': async ({ replied }: Request): Promise<Reply> => {
      await app.tasks.add(() => {}, undefined, { after: replied })
      return { status: 200, headers: {}, body: 'x'.repeat(50_000_000) }
    },
  }
  app = await startApp(t, {}, { routes })
  const socket = connectTcp(app.url)
  t.after(() => socket.destroy())
  socket.pause()
  socket.write('GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await until(() => app.tasks.size > 0)
  await app.tasks.idle() // hangs if it waits for the reader
  assert.equal(socket.destroyed, false)
})

test('T13: a full queue is 503 with Retry-After, and nothing is half accepted', async (t) => {
  const app = await startApp(t, { CAPACITY: '1' })
  const letGo = await holdSlot(app)
  const refused = await post(`${app.url}/process`, {})
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal((await app.tasks.list({ limit: 100 })).tasks.length, 1)
  letGo()
  await app.tasks.idle()
  assert.equal((await post(`${app.url}/process`, {})).status, 202)
})

test('the list is newest first, filtered, and in pages', async (t) => {
  const { url, tasks } = await startApp(t)
  for (let n = 0; n < 3; n++) await post(`${url}/process`, {})
  await tasks.add(function boom() {
    throw new Error('no')
  })
  await post(`${url}/notify/alice`)
  await tasks.idle()
  const list = (query: string): Promise<Json> => jsonOf(fetch(`${url}/tasks?${query}`))

  const all = await list('')
  assert.deepEqual(
    all.tasks.map((task: Task) => task.name),
    ['notify', 'boom', 'write-log', 'write-log', 'write-log'],
  )
  assert.equal(all.next, null)
  assert.equal((await list('state=failed')).tasks.length, 1)
  assert.equal((await list('name=write-log&state=succeeded')).tasks.length, 3)
  const page = await list('limit=2')
  assert.equal(page.tasks.length, 2)
  assert.deepEqual((await list(`limit=100&after=${page.next}`)).tasks, all.tasks.slice(2))
})

for (const query of ['limit=0', 'limit=101', 'limit=x', 'limit=', 'state=done', 'after=x']) {
  test(`the list answers 422 to ${query}, and names it`, async (t) => {
    const { url } = await startApp(t)
    const reply = await fetch(`${url}/tasks?${query}`)
    assert.equal(reply.status, 422)
    assert.equal((await jsonOf(reply)).errors[0].pointer, query.split('=')[0])
  })
}

const notifications: [body: unknown, status: number][] = [
  [undefined, 202],
  [{}, 202],
  [{ message: 'hi' }, 202],
  [{ message: 5 }, 422],
  [{ message: null }, 422],
  ['[]', 422],
  ['{', 400],
]

for (const [body, status] of notifications) {
  test(`POST /notify/alice answers ${status} to ${JSON.stringify(body) ?? 'no body'}`, async (t) => {
    const { url } = await startApp(t)
    const reply = await post(`${url}/notify/alice`, body)
    assert.equal(reply.status, status)
    if (status !== 202) return
    const { detail, id } = await jsonOf(reply)
    assert.equal(detail, 'notification queued')
    assert.equal(reply.headers.get('location'), `/tasks/${id}`)
  })
}

test('a notification never waits behind slow jobs', async (t) => {
  const { url } = await startApp(t, { CONCURRENCY: '1', WORK_SECONDS: '60', DRAIN_SECONDS: '0.1' })
  await Promise.all(Array.from({ length: 5 }, () => post(`${url}/process`, {})))
  const alice = await connectSocket(t, url, { user: 'alice' })
  await alice.ask({ type: 'subscribe', topic: 'user:alice' })
  await post(`${url}/notify/alice`)
  assert.equal((await alice.next()).data.message, 'You have a notification')
})

test('one can build another server on this one: routes, tasks, files', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'index.html'), 'mine')
  let app: App
  const greet = defineTask('greet', (name: string) => `hello ${name}`)
  const routes = {
    'POST /greet/:name': async ({ params, replied }: Json): Promise<Reply> => {
      const { id } = await app.tasks.add(greet, params.name, { after: replied })
      return { status: 202, headers: { location: `/tasks/${id}` }, body: '' }
    },
  }
  app = await startApp(t, {}, { routes, definitions: [greet], files: folder })

  assert.equal(await (await fetch(app.url)).text(), 'mine')
  assert.equal((await fetch(`${app.url}/app.js`)).status, 404)
  const reply = await post(`${app.url}/greet/bob`)
  await app.tasks.idle()
  const task = await jsonOf(fetch(app.url + reply.headers.get('location')))
  assert.equal(task.result, 'hello bob')
  assert.equal(task.name, 'greet')
})

test('a definition that takes the name of another is refused at the start', async () => {
  const definitions = [defineTask('notify', () => {})]
  await assert.rejects(
    createApp(readSettings({ PORT: '0', JOURNAL: 'off' }), { definitions }),
    /notify/,
  )
})

test('X8: a port in use is refused at the start', async (t) => {
  const { url } = await startApp(t)
  const settings = readSettings({ PORT: new URL(url).port, LOG_LEVEL: 'silent', JOURNAL: 'off' })
  await assert.rejects(createApp(settings), /EADDRINUSE/)
})

test('T14, X2: while draining: not ready, but alive; new work is 503; what runs ends; then nobody answers', async (t) => {
  const app = await startApp(t)
  const watcher = await connectSocket(t, app.url)
  const { opened, open } = latch()
  const { id } = await app.tasks.add(() => opened)
  await watcher.ask({ type: 'subscribe', topic: `task:${id}` })

  const closed = app.close()
  const ready = await fetch(`${app.url}/readyz`)
  const alive = await fetch(`${app.url}/healthz`)
  const work = await post(`${app.url}/process`, {})
  open()

  assert.deepEqual([ready.status, alive.status, work.status], [503, 200, 503])
  for (const reply of [ready, alive, work]) assert.equal(reply.headers.get('connection'), 'close')
  assert.equal(work.headers.get('retry-after'), '1')
  let state: string
  do state = (await watcher.nextOf('message')).data.state
  while (state !== 'succeeded')
  assert.equal((await watcher.nextOf('goodbye')).reconnect, true)
  assert.equal(await closed, true)
  await assert.rejects(fetch(`${app.url}/healthz`))
})

test('who watches all tasks hears their end before the goodbye', async (t) => {
  const app = await startApp(t)
  const { opened, open } = latch()
  const { id } = await app.tasks.add(() => opened)
  const watcher = await connectSocket(t, app.url)
  await watcher.ask({ type: 'subscribe', topic: 'tasks' })

  const closed = app.close()
  open()

  const states: string[] = []
  for (let message = await watcher.next(); message.type === 'message'; ) {
    states.push(
      ...message.data.filter((task: Task) => task.id === id).map((task: Task) => task.state),
    )
    message = await watcher.next()
  }
  assert.equal(states.at(-1), 'succeeded')
  await closed
})

test('X2: closing cuts idle connections and tells of tasks that were lost', async (t) => {
  const app = await startApp(t, { WORK_SECONDS: '60', JOURNAL: 'off' })
  const idle = connectTcp(app.url)
  await once(idle, 'connect')
  const cut = once(idle.resume(), 'close')
  await post(`${app.url}/process`, {})
  assert.equal(await app.close(100), false)
  assert.equal(await app.close(), false, 'closing twice is closing once')
  await cut
})

test('every log line of a request and of its task has the request’s id', async (t) => {
  const lines: Json[] = []
  const log = createLog('debug', (line) => lines.push(JSON.parse(line)), JSON.stringify)
  const { url, tasks } = await startApp(t, {}, { log })
  await post(`${url}/process?fail=1`, {}, { 'x-request-id': 'mine' })
  await tasks.idle()
  const mine = lines.filter((line) => line.requestId === 'mine').map((line) => line.message)
  assert.deepEqual(mine, ['replied', 'task failed', 'task succeeded'])
})

test('a server on any loopback address answers to its own url', async (t) => {
  const { url } = await startApp(t, { HOST: '127.0.0.2' })
  assert.equal((await fetch(`${url}/tasks`)).status, 200)
})
