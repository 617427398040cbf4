// The switch of `POST /render`; that of `POST /process` is in in-request.test.ts.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { renderBlocking } from '../jobs/render.ts'
import { createLog } from '../lib/log.ts'
import { type Json, jsonOf, latch, post, startApp, temporaryFolder, until } from './helpers.ts'
import { alone } from './queue.ts'
import { startGuarded } from './tokens.ts'

const OUTSIDE = { x: 4, y: 4, zoom: 1_000 } // drawn in no time, however many iterations it might take

/** Draws it, to the end. */
async function draw(t: TestContext, query: string, view?: Json) {
  const lines: Json[] = []
  const log = createLog('warn', (line) => lines.push(JSON.parse(line)), JSON.stringify)
  const { url, tasks } = await startApp(t, { BLOCKED_MS: '1' }, { log })
  const reply = await post(`${url}/render${query}`, view)
  const { id } = await jsonOf(reply)
  await tasks.idle()
  const task = await jsonOf(fetch(`${url}/tasks/${id}`))
  const picture = Buffer.from(await (await fetch(`${url}/tasks/${id}/result`)).arrayBuffer())
  const blocks = lines.filter(({ message }) => message.startsWith('task blocked the event loop'))
  return { reply, task, picture, blockedBy: blocks.map(({ name }) => name) }
}

test('a picture without a thread is the same picture, blocks the event loop, and the log names it', async (t) => {
  const view = { width: 200, height: 100, iterations: 1_000, x: -0.1, zoom: 10 }
  const blocking = await draw(t, '?thread=false', view)
  const usual = await draw(t, '?thread=true', view)

  assert.equal(blocking.reply.status, 202)
  assert.equal(blocking.reply.headers.get('location'), `/tasks/${blocking.task.id}`)
  const { name, state, progress, note } = blocking.task
  assert.deepEqual(
    [name, state, progress, note],
    ['render-blocking', 'succeeded', 1, 'row 100 of 100'],
  )
  assert.deepEqual(blocking.blockedBy, ['render-blocking'])
  assert.deepEqual([usual.task.name, usual.blockedBy], ['render', []])
  assert.equal(blocking.picture.compare(usual.picture), 0)
})

const fitting: [what: string, view: Json][] = [
  ['by default', undefined],
  [
    'of 800 by 600 with 1,000 iterations',
    { ...OUTSIDE, width: 800, height: 600, iterations: 1_000 },
  ],
  ['of 640 by 480 with 2,000', { ...OUTSIDE, iterations: 2_000 }],
  ['on the bound', { ...OUTSIDE, width: 1_000, height: 650, iterations: 1_000 }],
]

for (const [what, view] of fitting) {
  test(`a picture ${what} may be drawn without a thread`, async (t) => {
    const { task } = await draw(t, '?thread=false', view)
    assert.deepEqual([task.name, task.state], ['render-blocking', 'succeeded'])
  })
}

test('a picture that would block for too long is 422 and says what was expected, but for a thread', async (t) => {
  const { url, tasks } = await startApp(t)
  const view = { ...OUTSIDE, width: 1_000, height: 651, iterations: 1_000 }

  const reply = await post(`${url}/render?thread=false`, view)

  assert.equal(reply.status, 422)
  const { errors, detail } = await jsonOf(reply)
  assert.equal(
    detail,
    'expected width × height × iterations of at most 650000000 for thread=false, got 651000000',
  )
  assert.deepEqual(errors, [{ pointer: '', detail }])
  assert.equal(tasks.size, 0)
  assert.equal((await post(`${url}/render?thread=true`, view)).status, 202)
  assert.equal((await post(`${url}/render`, view)).status, 202)
})

for (const thread of ['', '0', 'no', 'False']) {
  test(`POST /render?thread=${thread} is 422 and names it`, async (t) => {
    const { url } = await startApp(t)
    const reply = await post(`${url}/render?thread=${thread}`)
    assert.equal(reply.status, 422)
    assert.equal((await jsonOf(reply)).errors[0].pointer, 'thread')
  })
}

test('a picture without a thread is still 422 for what is wrong with its view', async (t) => {
  const { url } = await startApp(t)
  const reply = await post(`${url}/render?thread=false`, { width: 15 })
  assert.deepEqual([reply.status, (await jsonOf(reply)).errors[0].pointer], [422, '/width'])
})

test('a picture without a thread waits behind no other job, since it has a slot of its own', async (t) => {
  const { url, tasks } = await startApp(t, { CONCURRENCY: '1' })
  const { opened, open } = latch()
  const { id } = await tasks.add(() => opened)
  await post(`${url}/render?thread=false`, OUTSIDE)
  await post(`${url}/render?thread=false`, OUTSIDE)

  await until(async () => (await tasks.list({ limit: 3, state: 'succeeded' })).tasks.length === 2)

  assert.equal((await tasks.find(id))?.state, 'running')
  open()
})

test(
  'a picture that would block is not drawn by a guarded server that finds it in the journal',
  alone('it has none'),
  async (t) => {
    const folder = await temporaryFolder(t)
    const env = { JOURNAL: join(folder, 'tasks.journal') }
    const open = await startApp(t, env)
    const view = { width: 16, height: 16, x: 0, y: 0, zoom: 1, iterations: 1 }
    const after = new Promise(() => {}) // so it waits when the server stops
    const { id } = await open.tasks.add(renderBlocking, view, { after })
    await open.close(100)

    const { tasks } = await startGuarded(t, env)
    await tasks.idle()

    const task = await tasks.find(id)
    assert.equal(task?.state, 'failed')
    assert.match(task!.error!.message, /unknown task/)
  },
)
