// The watch over the pages is not blind: what is wrong with one is heard, and found.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { startApp, until } from '../helpers.ts'
import {
  browserTest,
  expectProblems,
  findViolations,
  openPage,
  problemsOf,
  watched,
} from './browser.ts'

browserTest('a test fails for what its page complains of, unless that was expected', async (t) => {
  const { url } = await startApp(t)
  const complainOf = async (expected: RegExp) => {
    const page = await openPage(t, `${url}/echo.html`)
    expectProblems(page, expected)
    await page.evaluate(async () => {
      console.log('only a word')
      console.warn('look out')
      setTimeout(() => {
        throw new Error('nobody caught me')
      })
      await new Promise((resolve) => setTimeout(resolve))
      await fetch('/no-such-file')
    })
  }
  const failure = (expected: RegExp) => watched(t, () => complainOf(expected)).catch(String)

  assert.match((await failure(/404/))!, /: warning: look out .*\nuncaught: .* caught me\n/)
  assert.match((await failure(/look out|nobody/))!, /: error: .* 404 .*no-such-file:\d+\)$/)
  assert.equal(await failure(/look out|nobody|404/), undefined)
})

browserTest('it is noted when a page asks another host, or nobody is there', async (t) => {
  const app = await startApp(t)
  const { url: elsewhere } = await startApp(t)
  const page = await openPage(t, `${app.url}/healthz`) // no page, and so without its policy
  expectProblems(page, /./)

  await page.evaluate((url) => fetch(url, { mode: 'no-cors' }), elsewhere)
  await until(() => problemsOf(page).includes(`another host: ${elsewhere}/`))

  await app.close()
  await page.evaluate(() => fetch('/').catch(() => {}))
  await until(() => problemsOf(page).includes(`failed: ${app.url}/ net::ERR_CONNECTION_REFUSED`))
})

browserTest('what keeps people out is found', async (t) => {
  const { url } = await startApp(t)
  const page = await openPage(t, `${url}/echo.html`, { theme: 'dark' })
  await page.evaluate(() => {
    const pale = Object.assign(document.createElement('p'), { textContent: 'pale', id: 'pale' })
    pale.style.color = '#555'
    pale.style.background = '#444'
    document.querySelector('main')!.append(pale, document.createElement('button'))
  })

  const [unnamed, contrast, ...more] = (await findViolations(page)).toSorted()

  assert.match(unnamed!, /^button-name: .+: main > button$/)
  assert.match(contrast!, /^color-contrast: .+ contrast of 1\.\d+ .+: #pale$/)
  assert.deepEqual(more, [])
})

for (const { CI, outcome } of [
  { CI: '', outcome: /^ok .* # SKIP there is no Chromium: run npm run setup$/m },
  { CI: 'true', outcome: /error: 'there is no Chromium: run npm run setup'/ },
]) {
  test(`without a browser a test ${CI ? 'fails in CI' : 'is skipped, and says why'}`, () => {
    const { NODE_TEST_CONTEXT, ...inherited } = process.env // or it would report to the run it is in
    const env = { ...inherited, CI, CHROMIUM: '/no/such/browser' }
    const file = join(import.meta.dirname, 'echo.test.ts')
    const options = ['--import', 'tsx', '--test', '--test-reporter=tap', file]

    const { stdout, status } = spawnSync(process.execPath, options, { env, encoding: 'utf8' })

    assert.match(stdout, outcome)
    assert.equal(status, CI ? 1 : 0)
  })
}
