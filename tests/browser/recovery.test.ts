// What people see of a server that dies and comes back, and of a network that does: a sign that says
// so, and after it everything that was there, once.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { defineTask } from '../../tasks.ts'
import { freePorts, latch, spawnServer, startApp, temporaryFolder } from '../helpers.ts'
import { type Network, startNetwork } from '../network.ts'
import { browserTest, expectProblems } from './browser.ts'
import { chat, echo, notify, openDemo, says, showsLines } from './demo.ts'

const AWAY =
  /WebSocket connection to .+ failed|ERR_(CONNECTION_(REFUSED|RESET|CLOSED)|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/

/** A server that can be killed, and started again at the same place with the same journal. */
async function mortalServer(t: TestContext, settings: NodeJS.ProcessEnv = {}) {
  const folder = await temporaryFolder(t)
  const [port] = await freePorts(1)
  const env = {
    PORT: String(port),
    JOURNAL: join(folder, 'tasks.journal'),
    WORK_FILE: join(folder, 'log.txt'),
    ...settings,
  }
  let running = await spawnServer(t, env)
  return {
    url: running.url,
    kill: async () => {
      running.child.kill('SIGKILL')
      await running.exited
    },
    start: async () => {
      running = await spawnServer(t, env)
    },
    lines: async () => (await readFile(env.WORK_FILE, 'utf8')).trimEnd().split('\n'),
  }
}

/** So long the page waits before it tries again; twice as long the next time, and so on. */
function setFirstWait(page: Page, milliseconds: number): Promise<void> {
  return page.evaluate((ms) => {
    Math.random = () => ms / 500 // the part that it waits of half a second, which doubles each time
  }, milliseconds)
}

/** The page of somebody whose network may fail. */
async function openThrough(t: TestContext, network: Network, user: string): Promise<Page> {
  const page = await openDemo(t, network.url.replace(/^ws(.+)\/ws$/, 'http$1'), user)
  expectProblems(page, AWAY)
  return page
}

browserTest('a server that was killed comes back, and so does all that it was told', async (t) => {
  const server = await mortalServer(t, { WORK_SECONDS: '0.3' })
  const page = await openDemo(t, server.url, 'alice')
  expectProblems(page, AWAY)
  await setFirstWait(page, 50)
  await chat(page, 'hello')
  await showsLines(page, 'chat-log', ['alice: hello'])
  await page.getByRole('button', { name: 'Send twenty' }).click()
  await says(page, 'words', /^Twenty jobs: all answered after/)
  await says(page, 'states', /running 8/)

  await server.kill()
  await says(page, 'status', /^reconnecting in \d+ s/)
  await chat(page, 'are you there?')
  await showsLines(page, 'chat-pending', ['on its way: are you there?'])
  await server.start()

  await says(page, 'status', /^connected$/)
  await showsLines(page, 'chat-pending', [])
  await showsLines(page, 'chat-log', [
    'alice: hello',
    'The connection was lost for a while: something may be missing here.',
    'alice: are you there?',
  ])
  assert.equal(await page.locator('#chat-log', { hasText: /there\?.+there\?/ }).count(), 0)
  await says(page, 'words', /Twenty jobs: .*, all finished after \S+ m?s, at most \d+ at once\./)
  await says(page, 'states', /all 20\s+queued 0\s+running 0\s+succeeded 20\s+failed 0/)
  const buttons = page.getByRole('button', { name: /^Result: write-log / })
  const names = await buttons.evaluateAll((all) => all.map((one) => one.getAttribute('aria-label')))
  assert.equal(new Set(names).size, 20)
  assert.equal(names.length, 20)
  const lines = await server.lines()
  assert.ok(lines.length >= 20, `${lines.length} lines`)
  for (const line of lines) assert.match(line, /^Processed: \{"order":42/)
  await page.reload()
  await showsLines(page, 'chat-log', ['alice: are you there?'])
})

browserTest('“Try now” connects at once', async (t) => {
  const server = await mortalServer(t)
  const page = await openDemo(t, server.url, 'alice')
  expectProblems(page, AWAY)
  const tryNow = page.getByRole('button', { name: 'Try now' })
  assert.equal(await tryNow.isVisible(), false)
  await setFirstWait(page, 50_000)
  await server.kill()
  await says(page, 'status', /^reconnecting in (50|4\d) s/)
  await server.start()

  await tryNow.click()

  await says(page, 'status', /^connected$/)
  assert.equal(await tryNow.isVisible(), false)
})

browserTest('what is sent to a server that is away is answered in words', async (t) => {
  const server = await mortalServer(t)
  const page = await openDemo(t, server.url, 'alice')
  expectProblems(page, AWAY)
  await setFirstWait(page, 50)
  await server.kill()

  await page.getByRole('button', { name: 'Send a job' }).click()
  await notify(page, 'bob', 'hello')
  await echo(page, 'hello')

  await says(page, 'jobs-problem', /^No answer: the server can’t be reached\.$/)
  await says(page, 'notify-answer', /^No answer: the server can’t be reached\.$/)
  await says(page, 'words', /A job: no answer came\./)
  await says(page, 'echo-log', /^No connection: the server can’t be reached\.$/)

  await server.start()
  await says(page, 'status', /^connected$/)
  await page.getByRole('button', { name: 'Send a job' }).click()
  await says(page, 'words', /^A job: answered after .+, finished after/)
  await says(page, 'jobs-problem', /^$/)
})

browserTest('a page that gets no answer at first asks again', async (t) => {
  const { url } = await startApp(t)
  const page = await openDemo(t, url, 'alice')
  expectProblems(page, AWAY)
  await page.route('**/tasks?*', (route) => route.abort('connectionrefused'), { times: 1 })

  await page.reload()

  await says(page, 'status', /^No answer: the server can’t be reached\.$/)
  await says(page, 'status', /^connected$/)
})

browserTest('no message is missing or there twice after the network was down', async (t) => {
  const { url } = await startApp(t)
  const network = await startNetwork(t, url)
  const alice = await openThrough(t, network, 'alice')
  const bob = await openDemo(t, url, 'bob')
  await chat(bob, 'before')
  await showsLines(alice, 'chat-log', ['bob: before'])

  network.down()
  await says(alice, 'status', /^reconnecting in/)
  await says(bob, 'chat-members', /^1 in lobby: bob$/)
  for (const text of ['meanwhile', 'and again']) await chat(bob, text)
  await showsLines(bob, 'chat-log', ['bob: before', 'bob: meanwhile', 'bob: and again'])
  for (const text of ['I wait', 'so do I']) await chat(alice, text)
  network.up()

  const all = ['bob: before', 'bob: meanwhile', 'bob: and again', 'alice: I wait', 'alice: so do I']
  for (const page of [bob, alice]) await showsLines(page, 'chat-log', all)
  await showsLines(alice, 'chat-pending', [])
  for (const page of [bob, alice]) await says(page, 'chat-members', /^2 in lobby: /)
})

browserTest('a message whose answer was lost is sent again, and is there once', async (t) => {
  const { url } = await startApp(t)
  const network = await startNetwork(t, url)
  const alice = await openThrough(t, network, 'alice')
  await says(alice, 'chat-members', /alice/)
  const bob = await openDemo(t, url, 'bob')

  network.mute()
  await chat(alice, 'can you hear me?')
  await showsLines(bob, 'chat-log', ['alice: can you hear me?'])
  await showsLines(alice, 'chat-pending', ['on its way: can you hear me?'])
  network.cut()

  await showsLines(alice, 'chat-pending', [])
  await chat(bob, 'yes, once')
  for (const page of [alice, bob]) {
    await showsLines(page, 'chat-log', ['alice: can you hear me?', 'bob: yes, once'])
  }
})

browserTest(
  'a task that ended while the network was down has ended, however many came since',
  async (t) => {
    const end = latch()
    const wait = defineTask('wait', () => end.opened)
    const pass = defineTask('pass', () => {})
    const { url, tasks } = await startApp(t, {}, { definitions: [wait, pass] })
    const network = await startNetwork(t, url)
    const alice = await openThrough(t, network, 'alice')
    await tasks.add(wait, {})
    await says(alice, 'states', /running 1/)

    network.down()
    end.open()
    for (let count = 0; count < 120; count++) await tasks.add(pass, {})
    await tasks.idle()
    network.up()

    await says(alice, 'states', /all 121\s+queued 0\s+running 0\s+succeeded 121/)
  },
)

browserTest('an echo that does not come is given up with its connection', async (t) => {
  const { url } = await startApp(t)
  const network = await startNetwork(t, url)
  const alice = await openThrough(t, network, 'alice')
  await echo(alice, 'first')
  await says(alice, 'echo-log', /^You said: first after/)

  network.mute()
  await echo(alice, 'second')
  await says(alice, 'words', /^Echo: waiting for the answer/)
  network.cut()
  await says(alice, 'echo-log', /No echo: the connection is gone\./)
  await says(alice, 'words', /^Echo: no answer came\./)

  await echo(alice, 'third')
  await says(alice, 'echo-log', /You said: third after/)
})
