// The smallest client in a real browser: it works, can be used by everybody, and runs nothing but its
// own script. That the console stays clean is part of every test here.

import assert from 'node:assert/strict'
import { startApp } from '../helpers.ts'
import { browserTest, expectProblems, findViolations, hearRefusals, openPage } from './browser.ts'

for (const theme of ['light', 'dark'] as const) {
  browserTest(`it says what it is told back, and axe finds nothing, ${theme}`, async (t) => {
    const { url } = await startApp(t)
    const page = await openPage(t, `${url}/echo.html`, { theme })
    await page.getByText('connected').waitFor()

    await page.getByLabel('Say something').fill('hello <b>there</b>')
    await page.getByRole('button', { name: 'Send' }).click()

    await page.getByText('You said: hello <b>there</b>').waitFor()
    assert.equal(await page.getByLabel('Say something').inputValue(), '')
    assert.deepEqual(await findViolations(page), [])
  })
}

browserTest('nothing is loaded from elsewhere, and nothing told there', async (t) => {
  const { url } = await startApp(t)
  const { url: elsewhere } = await startApp(t) // it is there, and would answer
  const page = await openPage(t, `${url}/echo.html`)
  expectProblems(page, /Content Security Policy/)
  expectProblems(page, new RegExp(`^(another host|failed): ${elsewhere}/`))
  const refusals = await hearRefusals(page)

  const outcome = await page.evaluate((elsewhere) => {
    new Image().src = `${elsewhere}/icon.svg`
    new WebSocket(`${elsewhere.replace('http', 'ws')}/ws`)
    const fetched = fetch(`${elsewhere}/healthz`, { mode: 'no-cors' })
    return fetched.then(() => 'answered').catch(() => 'refused')
  }, elsewhere)

  assert.equal(outcome, 'refused')
  assert.deepEqual(await refusals(3), ['connect-src', 'connect-src', 'img-src'])
})
