// The two pages that the guide makes, in a real browser, each served by its own program: twenty lines
// of script, and a chat in Vue under the same policy as every page.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { freePorts } from '../helpers.ts'
import {
  browserTest,
  expectProblems,
  findViolations,
  openPage,
  type PageOptions,
} from './browser.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const LOST = /ERR_CONNECTION_|WebSocket connection to/ // what the console says of a server that is gone

/** A program of the guide, as its reader starts it. */
async function startProgram(t: TestContext, file: string, port = '0') {
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    cwd: ROOT,
    env: { ...process.env, PORT: port, JOURNAL: 'off' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
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

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text)
  await page.getByLabel('Message').press('Enter')
}

async function enter(page: Page, room: string): Promise<void> {
  await page.getByLabel('Another room').fill(room)
  await page.getByLabel('Another room').press('Enter')
  await page.getByRole('heading', { name: room, exact: true }).waitFor()
}

const said = (page: Page) => page.getByRole('main').locator('li p').allTextContents()
const hears = (page: Page, text: string) =>
  page.getByRole('main').getByText(text, { exact: true }).waitFor()

browserTest(
  'the page of twenty lines shows what comes back as text, and that its server is gone',
  async (t) => {
    const { url, stop } = await startProgram(t, 'guide/3-websocket/page.ts')
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
      const { url } = await startProgram(t, CHAT)
      const ada = await openChat(t, url, 'ada', { theme })
      await say(ada, 'Is <b>nobody</b> here?')
      await hears(ada, 'Is <b>nobody</b> here?')

      const bob = await openChat(t, url, 'bob', { theme })
      await hears(bob, 'Is <b>nobody</b> here?')
      await ada.getByText('2 here').waitFor()
      await bob.getByLabel('Message').pressSequentially('I am')
      await ada.getByText('bob is typing …').waitFor()
      await bob.getByLabel('Message').press('Enter')
      await hears(ada, 'I am')
      await ada.getByText('bob is typing …').waitFor({ state: 'hidden' })

      await enter(bob, 'kitchen')
      await say(ada, 'Tea, @bob?')
      await bob.getByText('Tea, @bob? (in lobby)').waitFor()
      await bob.getByRole('button', { name: 'lobby 1 new' }).waitFor()
      assert.equal(await bob.title(), '(1) Chat')
      assert.deepEqual(await findViolations(bob), [])
      await bob.getByRole('button', { name: 'lobby' }).click()
      await hears(bob, 'Tea, @bob?')
      assert.equal(await bob.title(), 'Chat')
      assert.deepEqual(await findViolations(ada), [])

      await bob.close()
      await ada.getByText('1 here').waitFor()
    },
  )
}

browserTest(
  'what is said in the chat while its server is away arrives once, and a gap is told',
  async (t) => {
    const port = String((await freePorts(1))[0])
    const first = await startProgram(t, CHAT, port)
    const page = await openChat(t, first.url, 'ada')
    expectProblems(page, LOST)
    await say(page, 'before')
    await hears(page, 'before')

    assert.equal(await first.stop(), 0)
    await page.getByText(/^ada, (connecting|waiting)$/).waitFor()
    await say(page, 'meanwhile')
    await page.getByText('on its way').waitFor()
    await startProgram(t, CHAT, port)

    await page.getByText('on its way').waitFor({ state: 'hidden' })
    await page.getByText('something may be missing').waitFor()
    assert.deepEqual(await said(page), ['meanwhile'])
  },
)

browserTest(
  'a name that is none is refused before it is sent, and a notice that fails is told',
  async (t) => {
    const { url } = await startProgram(t, CHAT)
    const page = await openPage(t, url)
    await page.getByLabel('Your name').fill('a b')
    await page.getByRole('button', { name: 'Enter' }).click()
    assert.equal(
      await page
        .getByLabel('Your name')
        .evaluate((input: HTMLInputElement) => input.validity.patternMismatch),
      true,
    )

    await page.getByLabel('Your name').fill('ada')
    await page.getByRole('button', { name: 'Enter' }).click()
    await page.getByText('ada, connected').waitFor()
    await page.route('**/notify/**', (route) =>
      route.fulfill({ status: 503, json: { detail: 'full' } }),
    )
    expectProblems(page, /503/)
    await say(page, 'Hello @bob')
    await page.getByText('“Hello @bob”: full').waitFor()
  },
)
