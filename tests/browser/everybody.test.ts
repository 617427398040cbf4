// The page is for everybody: in the dark and in bright light, on a small screen and a large one, with a
// keyboard alone, with a screen reader, and for whom things that move are too much. And it runs nothing
// but its own scripts.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { defineTask } from '../../tasks.ts'
import { startApp } from '../helpers.ts'
import { startGuarded } from '../tokens.ts'
import {
  browserTest,
  expectProblems,
  findViolations,
  hearRefusals,
  openPage,
  type PageOptions,
} from './browser.ts'
import { chat, echo, notify, openDemo, says, scrollsSideways } from './demo.ts'

const QUICK = { WORK_SECONDS: '0.2', NOTIFY_SECONDS: '0' }

const goOn = defineTask('go-on', (_, context) => {
  context.progress(0.4, 'step 4 of 10, with-a-word-that-is-longer-than-a-small-screen-is-wide')
  return context.sleep(600_000)
})
const fail = defineTask('fail', () => {
  throw new Error('this one fails for good')
})

async function openIdle(t: TestContext, options?: PageOptions): Promise<Page> {
  const { url } = await startApp(t, QUICK)
  const page = await openDemo(t, url, 'alice', options)
  await says(page, 'charts', /WebSockets: \d/)
  return page
}

/** A page on which everything is to be seen that there is, and all that can be opened is open. */
async function openBusy(t: TestContext, options?: PageOptions): Promise<Page> {
  const { url, tasks } = await startApp(t, QUICK, { definitions: [goOn, fail] })
  const page = await openDemo(t, url, 'alice', options)
  await openDemo(t, url, 'a-name-that-is-as-long-as-names-may-be-at-most-which-is-64-signs')
  for (const work of [goOn, fail]) await tasks.add(work, {})
  await tasks.add(goOn, {}, { delay: 600_000 })
  for (const name of ['Send twenty', 'Draw a picture', 'After the reply']) {
    await page.getByRole('button', { name }).click()
  }
  for (const text of ['hello', 'x'.repeat(5_000)]) {
    await chat(page, text)
    await notify(page, 'alice', text)
    await echo(page, text)
  }
  await page.getByRole('application').press('ArrowRight')
  await says(page, 'chat-members', /64-signs/)
  await says(page, 'states', /queued 1\s+running 1\s+succeeded 24\s+failed 1/)
  await says(page, 'echo-log', /5,0\d\d characters/)
  await says(page, 'notifications', /5,000 characters/)
  await says(page, 'chat-log', /5,000 characters/)
  await says(page, 'stage', /alice/)
  await says(page, 'after', /succeeded/)
  await page.getByRole('img', { name: /picture/ }).waitFor()
  for (const folded of await page.locator('details > summary').all()) await folded.click()
  return page
}

async function openLogin(t: TestContext, options?: PageOptions): Promise<Page> {
  const { url } = await startGuarded(t)
  const page = await openPage(t, url, options)
  expectProblems(page, / 401 \(Unauthorized\)/) // the browser itself says so
  await page.getByLabel('Token').fill('none')
  await page.getByRole('button', { name: 'Log in' }).click()
  await says(page, 'login-problem', /./)
  return page
}

for (const [name, open] of Object.entries({ idle: openIdle, busy: openBusy, login: openLogin })) {
  browserTest(`axe finds nothing, light or dark, and nothing is too wide: ${name}`, async (t) => {
    const page = await open(t)

    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      assert.deepEqual(await findViolations(page), [], colorScheme)
    }
    for (const width of [640, 320]) {
      // the first is 1280, zoomed to 200 %
      await page.setViewportSize({ width, height: 400 })
      assert.deepEqual(await scrollsSideways(page), [], `${width} pixels`)
    }
  })
}

/** Marks what a keyboard has to reach, in the order of the document; returns what each is. */
function markControls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const all = 'a[href], button, input, textarea, select, summary, [tabindex]'
    const controls = [...document.querySelectorAll<HTMLElement>(all)].filter((element) => {
      const isOther = element.matches(':disabled, [type=radio]:not(:checked)') // arrows reach those
      return !isOther && element.tabIndex >= 0 && element.checkVisibility()
    })
    return controls.map((element, index) => {
      const what = element.id || element.textContent.slice(0, 20)
      element.dataset.control = `${index} ${element.tagName} ${what}`
      return element.dataset.control
    })
  })
}

/** What has no name for a screen reader. */
function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const controls = document.querySelectorAll<HTMLInputElement>('input, textarea, button')
    const nameOf = ({ ariaLabel, labels, textContent, tagName }: HTMLInputElement) =>
      ariaLabel || labels?.[0]?.textContent || (tagName === 'BUTTON' && textContent)
    const nameless = [...controls].filter(
      (control) => control.checkVisibility() && !nameOf(control),
    )
    return nameless.map(({ outerHTML }) => outerHTML)
  })
}

browserTest(
  'Tab reaches every control in order, each has a name and shows its focus',
  async (t) => {
    const page = await openBusy(t)
    assert.deepEqual(await namelessControls(page), [])
    const controls = await markControls(page)
    await page.evaluate(() => {
      document.body.tabIndex = -1
      document.body.focus() // from the beginning, wherever it was clicked before
      document.body.removeAttribute('tabindex')
    })

    const reached: (string | undefined)[] = []
    for (let count = 0; count < controls.length; count++) {
      await page.keyboard.press('Tab')
      const { control, isShown } = await page.evaluate(() => {
        const focused = document.activeElement as HTMLElement
        const { outlineStyle, outlineWidth } = getComputedStyle(focused)
        const hasOutline = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0
        const isShown = focused.matches(':focus-visible') && hasOutline
        return { control: focused.dataset.control, isShown }
      })
      assert.ok(isShown, `${control} shows that it has the focus`)
      reached.push(control)
    }

    assert.ok(controls.length > 50, `${controls.length} controls`)
    assert.deepEqual(reached, controls)
  },
)

browserTest('the headings make an outline, and the page has its parts', async (t) => {
  const page = await openIdle(t)

  const headings = page.locator('h1, h2, h3, h4, h5, h6')
  const levels = await headings.evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])))

  assert.equal(levels.filter((level) => level === 1).length, 1)
  for (const [index, level] of levels.entries()) {
    assert.ok(level <= (levels[index - 1] ?? 0) + 1, `heading ${index} of level ${level}`)
  }
  for (const landmark of ['banner', 'main', 'contentinfo'] as const) {
    assert.equal(await page.getByRole(landmark).count(), 1, landmark)
  }
})

for (const [reducedMotion, motion] of [
  [false, 'glide'],
  [true, 'jump, for whoever asks for no motion'],
] as const) {
  browserTest(`cursors ${motion}`, async (t) => {
    const page = await openIdle(t, { reducedMotion })

    await page.getByRole('application').press('ArrowRight')
    const cursor = page.locator('#stage > *', { hasText: 'alice' })
    const seconds = await cursor.evaluate((it) => getComputedStyle(it).transitionDuration)

    assert.equal(Number.parseFloat(seconds) === 0, reducedMotion, seconds)
  })
}

for (const path of ['/', '/echo.html']) {
  browserTest(`no script and no style runs that stands in the page itself: ${path}`, async (t) => {
    const { url } = await startApp(t, QUICK)
    const page = await openPage(t, url + path)
    await page.getByText('connected', { exact: true }).waitFor()
    expectProblems(page, /violates the following Content Security Policy directive/)
    const refusals = await hearRefusals(page)

    const [title, color] = await page.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'document.title = "run"'
      document.body.append(script)
      const button = document.createElement('button')
      button.setAttribute('onclick', 'document.title = "run"')
      button.click()
      button.setAttribute('style', 'color: red')
      return [document.title, button.style.color]
    })

    assert.match(title!, / · meanwhile$/)
    assert.equal(color, '')
    assert.deepEqual(await refusals(3), ['script-src-attr', 'script-src-elem', 'style-src-attr'])
  })
}
