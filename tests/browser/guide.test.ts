// The two pages that the guide makes, in a real browser, each served by its own program: twenty lines
// of script, and a chat in Vue under the same policy as every page.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { startProgram } from '../guide/program.ts'
import { freePorts } from '../helpers.ts'
import {
  browserTest,
  expectProblems,
  findViolations,
  openPage,
  type PageOptions,
} from './browser.ts'

const LOST = /ERR_CONNECTION_|WebSocket connection to/ // what the console says of a server that is gone

/** One that serves a page. */
async function startServer(t: TestContext, file: string, port = '0') {
  const child = startProgram(t, file, { PORT: port })
  child.stderr.pipe(process.stderr)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const [url] = /http:\S+/.exec(line)!
  const stop = async () => {
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    return code
  }
  return { url, stop }
}

const CHAT = 'guide/5-next/chat.ts'

async function openChat(t: TestContext, url: string, user: string, options?: PageOptions) {
  const page = await openPage(t, url, options)
  await page.getByLabel('Your name').fill(user)
  await page.getByRole('button', { name: 'Enter' }).click()
  await page.getByText(`${user}, connected`).waitFor()
  return page
}

const message = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true })

async function say(page: Page, text: string): Promise<void> {
  await message(page).fill(text)
  await message(page).press('Enter')
}

async function enter(page: Page, room: string): Promise<void> {
  await page.getByLabel('Another room').fill(room)
  await page.getByLabel('Another room').press('Enter')
  await page.getByRole('heading', { name: room, exact: true }).waitFor()
}

const said = (page: Page) => page.getByRole('log').locator('p').allTextContents()
const hears = (page: Page, text: string) =>
  page.getByRole('main').getByText(text, { exact: true }).waitFor()

browserTest(
  'the page of twenty lines shows what comes back as text, and that its server is gone',
  async (t) => {
    const { url, stop } = await startServer(t, 'guide/3-websocket/page.ts')
    const page = await openPage(t, url)
    await page.getByText('connected').waitFor()
    expectProblems(page, LOST)

    await page.getByLabel('Say something').fill('hello <b>there</b>')
    await page.getByRole('button', { name: 'Send' }).click()
    await page.getByText('You said: hello <b>there</b>').waitFor()

    assert.equal(await stop(), 0)
    await page.getByText('closed: 1001').waitFor()
  },
)

for (const theme of ['light', 'dark'] as const) {
  browserTest(
    `the chat has rooms, presence, history, typing and notifications, and axe finds nothing, ${theme}`,
    async (t) => {
      const { url } = await startServer(t, CHAT)
      const ada = await openChat(t, url, 'ada', { theme, height: 400 })
      await say(ada, 'Is <b>nobody</b> here?')
      await hears(ada, 'Is <b>nobody</b> here?')

      const bob = await openChat(t, url, 'bob', { theme })
      await hears(bob, 'Is <b>nobody</b> here?')
      await ada.getByText('2 here').waitFor()
      await message(bob).pressSequentially('I am')
      await ada.getByText('bob is typing …').waitFor()
      await message(bob).press('Enter')
      await hears(ada, 'I am')
      assert.equal(await ada.getByText('bob is typing …').isVisible(), false)

      await enter(bob, 'kitchen')
      await say(ada, 'Tea, @bob?')
      await bob.getByText('Tea, @bob? (in lobby)').waitFor()
      await bob.getByRole('button', { name: 'lobby 1 new' }).waitFor()
      assert.equal(await bob.title(), '(1) Chat')
      assert.deepEqual(await findViolations(bob), [])
      await bob.getByRole('button', { name: 'Leave' }).click()
      await hears(bob, 'Tea, @bob?')
      assert.equal(await bob.title(), 'Chat')
      assert.equal(await bob.getByRole('button', { name: 'kitchen' }).count(), 0)

      await bob.close()
      await ada.getByText('1 here').waitFor()
      for (let n = 0; n < 9; n++) await say(ada, `line ${n}`)
      await hears(ada, 'line 8')
      assert.deepEqual(await findViolations(ada), []) // with more than fits
    },
  )
}

browserTest(
  'what is said in the chat while its server is away arrives once, and a gap is told',
  async (t) => {
    const port = String((await freePorts(1))[0])
    const first = await startServer(t, CHAT, port)
    const page = await openChat(t, first.url, 'ada')
    expectProblems(page, LOST)
    await say(page, 'before')
    await hears(page, 'before')

    assert.equal(await first.stop(), 0)
    await page.getByText(/^ada, (connecting|waiting)$/).waitFor()
    await say(page, 'meanwhile')
    await page.getByText('on its way').waitFor()
    await startServer(t, CHAT, port)

    await page.getByText('on its way').waitFor({ state: 'hidden' })
    await hears(page, 'meanwhile')
    const gap = 'You were away, and something may be missing here.'
    assert.deepEqual(await said(page), ['before', gap, 'meanwhile'])
  },
)

browserTest('the chat does not pull down a reader who has scrolled up', async (t) => {
  const { url } = await startServer(t, CHAT)
  const ada = await openChat(t, url, 'ada', { height: 400 })
  const log = ada.getByRole('log')
  const top = () => log.evaluate(({ scrollTop }) => scrollTop)
  for (let n = 0; n < 20; n++) await say(ada, `line ${n}`)
  await hears(ada, 'line 19')
  assert.ok((await top()) > 0)

  const scrolled = log.evaluate(
    (list) => new Promise((done) => list.addEventListener('scroll', done)),
  )
  await log.hover()
  await ada.mouse.wheel(0, -10_000)
  await scrolled
  await ada.waitForFunction(() => document.querySelector('[role=log]')!.scrollTop === 0)
  await say(ada, 'one more')
  await hears(ada, 'one more')

  assert.equal(await top(), 0)
})

for (const name of ['', 'a%20b']) {
  browserTest(
    `the chat asks for another name than “${name}”, and takes none that is no name`,
    async (t) => {
      const { url } = await startServer(t, CHAT)
      const page = await openPage(t, `${url}/?user=${name}`)
      const input = page.getByLabel('Your name')
      await input.fill('a b')
      await page.getByRole('button', { name: 'Enter' }).click()
      const isRefused = await input.evaluate((it: HTMLInputElement) => it.validity.patternMismatch)
      assert.equal(isRefused, true)

      await input.fill('ada')
      await page.getByRole('button', { name: 'Enter' }).click()

      await page.getByText('ada, connected').waitFor()
    },
  )
}

browserTest('what the server refuses is told in the chat: a notice, a room too many', async (t) => {
  const { url } = await startServer(t, CHAT)
  const page = await openChat(t, url, 'ada')
  await page.route('**/notify/**', (route) =>
    route.fulfill({ status: 503, json: { detail: 'full' } }),
  )
  expectProblems(page, /503/)
  await say(page, 'Write to ada@example.org, @bob.')
  await page.getByText('@bob is not notified: full').waitFor()

  for (let n = 1; n < 50; n++) await enter(page, `room-${n}`)

  await page.getByText(/at most 50 topics/).waitFor()
})
