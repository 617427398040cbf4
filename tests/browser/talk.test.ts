// What people tell each other through the page: notifications, a chat, cursors, an echo. Each has a
// browser of their own. Whatever they say is text, and none of it becomes a part of the page.

import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { defineTask } from '../../tasks.ts'
import { connectSocket, startApp } from '../helpers.ts'
import { browserTest } from './browser.ts'
import {
  chat,
  echo,
  enterRoom,
  notify,
  openDemo,
  says,
  scrollsSideways,
  showsLines,
} from './demo.ts'

browserTest(
  'a notification reaches its user in every window, and its sender is told',
  async (t) => {
    const { url } = await startApp(t)
    const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]
    const another = await openDemo(t, url, 'bob')

    await notify(alice, 'bob', 'tea?')

    await says(alice, 'notify-answer', /^Accepted\. bob/)
    for (const window of [bob, another])
      await showsLines(window, 'notifications', ['from alice: tea?'])
    await notify(alice, 'alice', '') // what is for alice comes after what was for bob
    await showsLines(alice, 'notifications', ['from alice: You have a notification'])
  },
)

browserTest('the link opens a second window, as somebody else', async (t) => {
  const { url } = await startApp(t)
  const alice = await openDemo(t, url, 'alice')

  const opened = alice.waitForEvent('popup')
  await alice.getByRole('link', { name: 'second window as bob' }).click()
  const bob = await opened

  await says(bob, 'me', /^bob$/)
  await showsLines(bob, 'notifications', [])
  await notify(bob, 'alice', 'hello')
  await showsLines(alice, 'notifications', ['from bob: hello'])
})

browserTest('who is in a room is shown by name, and that they leave', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]
  const carol = await openDemo(t, url, 'carol')
  for (const page of [alice, bob, carol]) await says(page, 'chat-members', /^3 in lobby: /)
  await says(carol, 'chat-members', /alice.*bob.*carol/)

  await carol.close()

  for (const page of [alice, bob]) await says(page, 'chat-members', /^2 in lobby: alice, bob$/)
})

browserTest('what is said in a room is there for all in it, and after a reload', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]

  await chat(alice, 'hello')
  await showsLines(bob, 'chat-log', ['alice: hello'])
  await chat(bob, 'hi')

  for (const page of [alice, bob]) await showsLines(page, 'chat-log', ['alice: hello', 'bob: hi'])
  await showsLines(alice, 'chat-pending', [])
  await alice.reload()
  await showsLines(alice, 'chat-log', ['alice: hello', 'bob: hi'])
})

browserTest('another room has its own messages and members', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]
  await chat(alice, 'in the lobby')
  await showsLines(bob, 'chat-log', ['alice: in the lobby'])

  await enterRoom(bob, 'kitchen')
  await says(bob, 'chat-members', /^1 in kitchen: bob$/)
  await chat(bob, 'in the kitchen')

  await showsLines(bob, 'chat-log', ['bob: in the kitchen'])
  await says(alice, 'chat-members', /^1 in lobby: alice$/)
  await enterRoom(bob, 'lobby')
  await showsLines(bob, 'chat-log', ['alice: in the lobby'])
  await chat(alice, 'back?')
  await showsLines(alice, 'chat-log', ['alice: in the lobby', 'alice: back?'])
})

browserTest('who is typing is shown to others, until the message has come', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]

  await alice.getByLabel('Say in lobby').fill('wel')
  await says(bob, 'chat-typing', /^alice is typing/)
  await chat(bob, 'yes?')
  await showsLines(alice, 'chat-log', ['bob: yes?']) // her own hint would have come before
  assert.equal(await alice.locator('#chat-typing').textContent(), '')

  await chat(alice, 'well')
  await showsLines(bob, 'chat-log', ['bob: yes?', 'alice: well'])
  assert.equal(await bob.locator('#chat-typing').textContent(), '')
})

browserTest('who is typing in a room is not shown in the next one', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]

  await alice.getByLabel('Say in lobby').fill('wel')
  await says(bob, 'chat-typing', /^alice is typing/)
  await enterRoom(bob, 'kitchen')

  assert.equal(await bob.locator('#chat-typing').textContent(), '')
})

/** The cursor of this name comes to be about there: from 0 to 1 of the field. */
async function cursorIsAt(page: Page, name: string, x: number, y: number): Promise<void> {
  const isThere = ([name, x, y]: [string, number, number]) => {
    const field = document.getElementById('stage')!.getBoundingClientRect()
    const cursor = [...document.querySelectorAll('#stage > *')].find(
      ({ textContent }) => textContent === name,
    )
    const dot = cursor?.getBoundingClientRect()
    if (!dot) return false
    const dx = (dot.x + dot.width / 2 - field.x) / field.width - x
    const dy = (dot.y + dot.height / 2 - field.y) / field.height - y
    return Math.abs(dx) < 0.02 && Math.abs(dy) < 0.02
  }
  await page.waitForFunction(isThere, [name, x, y] as [string, number, number])
}

browserTest('a cursor is where its owner moves it, and goes with them', async (t) => {
  const { url } = await startApp(t)
  const [alice, bob] = [await openDemo(t, url, 'alice'), await openDemo(t, url, 'bob')]
  const field = alice.getByRole('application', { name: 'Field of cursors' })
  await says(bob, 'cursors-count', /^2 people/)

  await field.scrollIntoViewIfNeeded()
  const { x, y, width, height } = (await field.boundingBox())!
  await alice.mouse.move(x + width / 4, y + (3 * height) / 4)
  for (const page of [alice, bob]) await cursorIsAt(page, 'alice', 0.25, 0.75)

  await field.focus()
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowUp']) await field.press(key)
  for (const page of [alice, bob]) await cursorIsAt(page, 'alice', 0.35, 0.7)
  for (let steps = 0; steps < 20; steps++) await field.press('ArrowDown')
  await cursorIsAt(bob, 'alice', 0.35, 1) // and not beyond

  await alice.close()
  await bob.locator('#stage', { hasText: 'alice' }).waitFor({ state: 'hidden' })
  await says(bob, 'cursors-count', /^Only you/)
})

browserTest('the echo says back what it is told, each in its turn', async (t) => {
  const { url } = await startApp(t)
  const alice = await openDemo(t, url, 'alice')

  for (const text of ['one', 'two']) await echo(alice, text)

  await says(alice, 'echo-log', /^You said: one after \d+ ms.*You said: two after/)
})

browserTest('markup is shown as the text that it is, wherever it comes from', async (t) => {
  const markup = '<b>bold</b><img src="icon.svg" alt="" onerror="alert(1)">'
  const definitions = [
    defineTask('return', () => ({ markup })),
    defineTask('throw', () => {
      throw new Error(markup)
    }),
  ]
  const { url, tasks } = await startApp(t, {}, { definitions })
  const alice = await openDemo(t, url, 'alice')
  const before = await alice.locator(':is(b, img)').count()

  for (const definition of definitions) await tasks.add(definition, {})
  await chat(alice, markup)
  await notify(alice, 'alice', markup)
  await echo(alice, markup)
  const client = await connectSocket(t, url, { user: 'bob' })
  await client.ask({ type: 'publish', topic: 'room:lobby', data: { markup } })
  await client.ask({ type: 'publish', topic: 'room:.cursors', data: { x: markup, y: 1 } })
  await alice.getByRole('button', { name: /^Result: return/ }).click()

  const quoted = JSON.stringify({ markup })
  await showsLines(alice, 'chat-log', [`alice: ${markup}`, `bob: ${quoted}`])
  await showsLines(alice, 'notifications', [`from alice: ${markup}`])
  await alice.locator('#echo-log', { hasText: `You said: ${markup}` }).waitFor()
  await alice.locator('#task-list', { hasText: quoted }).waitFor()
  await alice.locator('#task-list', { hasText: `${markup}.` }).waitFor()
  assert.equal(await alice.locator(':is(b, img)').count(), before)
})

browserTest('a name with markup in it is none', async (t) => {
  const { url } = await startApp(t)

  const page = await openDemo(t, url, encodeURIComponent('<b>eve</b>'))

  await says(page, 'me', /^guest-\d{4}$/)
  await says(page, 'chat-members', /^1 in lobby: guest-\d{4}$/)
})

browserTest('a long text is folded, and makes the page no wider, open or not', async (t) => {
  const { url } = await startApp(t)
  const alice = await openDemo(t, url, 'alice', { width: 400 })
  const long = `${'x'.repeat(9_997)}end`

  await chat(alice, long)
  await notify(alice, 'alice', long)
  await echo(alice, long)

  for (const id of ['chat-log', 'notifications', 'echo-log']) {
    const folded = alice.locator(`#${id} details`)
    await folded.getByText(/^.{300} … \(10,0\d\d characters\)$/).waitFor()
    assert.equal(await folded.getAttribute('open'), null, id)
    assert.ok((await folded.textContent())!.endsWith(long), id)
    assert.deepEqual(await scrollsSideways(alice), [], id)
    await folded.locator('summary').click()
    assert.equal(await folded.getAttribute('open'), '', id)
    assert.deepEqual(await scrollsSideways(alice), [], id)
  }
})
