// The page of a server that wants to know who asks: what it wants is a token, which it keeps to itself
// and for which it asks again when it is needed.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import type { Claims } from '../../lib/jwt.ts'
import { ADMIN, inSeconds, SECRET, startGuarded, tokenOf } from '../tokens.ts'
import { browserTest, expectProblems, openPage } from './browser.ts'
import { chat, echo, says, showsLines } from './demo.ts'

/** The page of a server with AUTH_SECRET, which asks for a token. */
async function openGuarded(t: TestContext, url: string): Promise<Page> {
  const page = await openPage(t, url)
  expectProblems(page, / 401 \(Unauthorized\)/) // the browser itself says so
  await page.getByLabel('Token').waitFor()
  return page
}

async function logIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
}

/** The same, and waits until it is connected. */
async function openAs(t: TestContext, url: string, user: string, claims: Partial<Claims> = {}) {
  const page = await openGuarded(t, url)
  await logIn(page, tokenOf(user, claims))
  await says(page, 'status', /^connected$/)
  return page
}

/** What of the page can be stood on now, in its order. */
function focusable(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const all = document.querySelectorAll<HTMLElement>('a, button, input, textarea, [tabindex]')
    const reached = [...all].filter((element) => {
      element.focus()
      return element === document.activeElement
    })
    return reached.map(({ id, textContent }) => id || textContent)
  })
}

const isAsked = (page: Page) => page.locator('#login').isVisible()

browserTest('nothing can be done before a right token has come', async (t) => {
  const { url, hub } = await startGuarded(t)
  const page = await openGuarded(t, url)
  await says(page, 'status', /^This server wants a token\.$/)
  assert.ok(await page.getByLabel('Token').evaluate((input) => input === document.activeElement))
  assert.equal(await page.locator('#panels').getAttribute('inert'), '')
  assert.deepEqual(await focusable(page), ['token', 'Log in'])

  for (const wrong of [
    'no token at all',
    `${tokenOf('alice').slice(0, -8)}AAAAAAAA`,
    tokenOf('alice', { exp: inSeconds(-1) }),
    tokenOf('a b'),
  ]) {
    await page.locator('#login-problem').evaluate((problem) => problem.replaceChildren())
    await logIn(page, wrong)
    await says(page, 'login-problem', /^(That is no token|Expected .*token.*)\.$/)
    assert.equal(await page.locator('#panels').getAttribute('inert'), '')
  }
  assert.equal(hub.size, 0)

  await logIn(page, ` ${tokenOf('alice')}\n`)
  await says(page, 'status', /^connected$/)
  assert.equal(await page.locator('#panels').getAttribute('inert'), null)
  assert.equal(await isAsked(page), false)
  await says(page, 'me', /^alice$/)
  await says(page, 'chat-members', /^1 in lobby: alice$/)
})

browserTest(
  'a token is in no address, no cookie and no storage; it goes as a header',
  async (t) => {
    const { url } = await startGuarded(t)
    const page = await openGuarded(t, url)
    const addresses: string[] = []
    page.on('request', (request) => addresses.push(request.url()))
    page.on('websocket', (socket) => addresses.push(socket.url()))
    page.on('framenavigated', (frame) => addresses.push(frame.url()))
    const offered: string[] = []
    const inspector = await page.context().newCDPSession(page)
    await inspector.send('Network.enable')
    inspector.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => {
      offered.push(request.headers['Sec-WebSocket-Protocol'] ?? 'none')
    })
    const token = tokenOf('alice')

    await logIn(page, token)
    await says(page, 'status', /^connected$/)
    await echo(page, 'hello')
    await says(page, 'echo-log', /^You said: hello after/)

    assert.deepEqual(offered, [`meanwhile.v1, bearer.${token}`, 'none'])
    const [first, second, ...more] = addresses.filter((address) => address.startsWith('ws'))
    assert.match(first!, /\/ws$/)
    assert.match(second!, /\/ws\?ticket=[^&]+$/)
    assert.deepEqual(more, [])
    const kept = await page.evaluate(() => [
      JSON.stringify(localStorage),
      JSON.stringify(sessionStorage),
      document.documentElement.outerHTML,
      document.querySelector<HTMLInputElement>('#token')!.value,
    ])
    const cookies = await page.context().cookies()
    assert.deepEqual(cookies, [])
    const signature = token.split('.')[2]!
    for (const place of [...addresses, page.url(), ...kept]) assert.ok(!place.includes(signature))
  },
)

browserTest('what only an open server can do is switched off, and it is said why', async (t) => {
  const { url } = await startGuarded(t)
  const page = await openAs(t, url, 'alice')

  for (const name of ['Do both', 'In the request', 'Draw on the main thread', /fails twice/i]) {
    const buttons = await page.getByRole('button', { name }).all()
    assert.ok(buttons.length > 0, String(name))
    for (const button of buttons) assert.ok(await button.isDisabled(), String(name))
  }
  assert.ok(await page.getByText('AUTH_SECRET the server refuses what blocks it').isVisible())

  await page.getByRole('button', { name: 'Send a job' }).click()
  await says(page, 'words', /^A job: answered after .*, finished after/)
})

browserTest('the figures are shown to an admin; others are told for whom they are', async (t) => {
  const { url } = await startGuarded(t)
  const [alice, root] = [await openAs(t, url, 'alice'), await openAs(t, url, 'root', ADMIN)]

  await says(alice, 'stats-problem', /admin/)
  await says(root, 'charts', /WebSockets: \d/)
  assert.equal(await root.locator('#stats-problem').textContent(), '')
})

browserTest('an expired token is asked for again, and what waited goes on', async (t) => {
  const { url } = await startGuarded(t)
  const page = await openAs(t, url, 'alice', { exp: inSeconds(6) })
  await chat(page, 'before')
  await showsLines(page, 'chat-log', ['alice: before'])

  await page.getByLabel('Token').waitFor()
  await says(page, 'login-problem', /^This token is no longer good: it may have expired\./)
  await chat(page, 'meanwhile')
  await showsLines(page, 'chat-pending', ['on its way: meanwhile'])
  await logIn(page, tokenOf('bob'))
  await says(page, 'login-problem', /alice.*bob/)
  await page.getByRole('button', { name: 'Try now' }).click()
  await says(page, 'login-problem', /alice.*bob/) // still
  assert.equal(await isAsked(page), true)
  await showsLines(page, 'chat-pending', ['on its way: meanwhile'])
  await logIn(page, tokenOf('alice'))

  await says(page, 'status', /^connected$/)
  assert.equal(await isAsked(page), false)
  await showsLines(page, 'chat-log', ['alice: before', 'alice: meanwhile'])
  await showsLines(page, 'chat-pending', [])
  await says(page, 'me', /^alice$/)
})

browserTest('a server that comes back with another secret asks for another token', async (t) => {
  const first = await startGuarded(t)
  const page = await openAs(t, first.url, 'alice')
  expectProblems(page, /ERR_CONNECTION_|WebSocket connection to/)

  await first.close(500)
  await startGuarded(t, { PORT: new URL(first.url).port, AUTH_SECRET: `another ${SECRET}` })

  await page.getByLabel('Token').waitFor()
  await says(page, 'login-problem', /^This token is no longer good/)
})

browserTest('two users see their own tasks, and what they tell each other', async (t) => {
  const { url } = await startGuarded(t)
  const [alice, bob] = [await openAs(t, url, 'alice'), await openAs(t, url, 'bob')]

  await alice.getByRole('button', { name: 'Send a job' }).click()
  await says(alice, 'states', /succeeded 1/)
  await chat(alice, 'done')

  await showsLines(bob, 'chat-log', ['alice: done'])
  await says(bob, 'states', /^\s*Show\s*all 0/)
})
