// The panels that work: jobs on the timeline, in the request and after it, in a thread and where
// everybody waits, the list of tasks, and the server’s figures.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { defineTask, type TaskContext } from '../../tasks.ts'
import { fail, latch, startApp, temporaryFolder } from '../helpers.ts'
import { browserTest, expectProblems, openPage } from './browser.ts'

const press = (page: Page, name: string) =>
  page.getByRole('button', { name, exact: true }).first().click()

/** Waits until the newest of the words, or an older one, says so. */
const hearWords = (page: Page, words: RegExp) =>
  page.locator('#words li').filter({ hasText: words }).first().waitFor()

/** The rows of the list of tasks in this state. */
const rows = (page: Page, state: string) => page.locator(`#task-list [data-state=${state}]`)

/** How many colours are on the timeline. */
const coloursOf = (page: Page) =>
  page.locator('#timeline').evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
    return new Set(new Uint32Array(data.buffer)).size
  })

browserTest('a job is answered first and done later, and both are told and drawn', async (t) => {
  const file = join(await temporaryFolder(t), 'log.txt')
  const { url } = await startApp(t, { WORK_SECONDS: '0.5', WORK_FILE: file })
  const page = await openPage(t, url)
  expectProblems(page, /willReadFrequently/) // it is this test alone that reads the picture
  await page.getByText('connected', { exact: true }).waitFor()
  const idle = await coloursOf(page)

  await press(page, 'Send a job')

  await hearWords(page, /^A job: answered after \d+ ms, the work goes on\.$/)
  await hearWords(page, /^A job: answered after \d+ ms, finished after \d/)
  assert.ok((await coloursOf(page)) > idle)
  assert.match(await readFile(file, 'utf8'), /^Processed: \{"order":42,/)
})

browserTest('of twenty jobs as many run at once as there are slots', async (t) => {
  const { url } = await startApp(t, { WORK_SECONDS: '0.3', CONCURRENCY: '8' })
  const page = await openPage(t, url)

  await press(page, 'Send twenty')

  await hearWords(page, /^Twenty jobs: all answered .* of 20 over, at most 8 at once\.$/)
  await hearWords(page, /^Twenty jobs: all answered .*, all finished .*, at most 8 at once\.$/)
})

browserTest('a job that fails twice succeeds the third time', async (t) => {
  const { url } = await startApp(t)
  const page = await openPage(t, url)

  await press(page, 'One that fails twice')

  await rows(page, 'succeeded').getByText('attempt 3 of 3').waitFor()
  await hearWords(page, /^A job that fails twice: answered .*, finished after/)
})

browserTest('a task that waits for its next attempt says why, and until when', async (t) => {
  const fails = defineTask('fails', () => fail(new Error('not yet')), {
    attempts: 2,
    backoff: 3_600_000,
  })
  const { url, tasks } = await startApp(t, {}, { definitions: [fails] })
  const page = await openPage(t, url)

  await tasks.add(fails, undefined)

  await rows(page, 'queued')
    .getByText(/^not yet\. Again at \d\d:\d\d:\d\d\.$/)
    .waitFor()
})

browserTest('the same work is felt in the request, and not after the reply', async (t) => {
  const { url } = await startApp(t, { WORK_SECONDS: '0.5' })
  const page = await openPage(t, url)

  await press(page, 'Do both')

  await page
    .locator('#after')
    .getByText(/^answered after .*; the work goes on …$/)
    .waitFor()
  await page
    .locator('#inside')
    .getByText(/^no answer yet/)
    .waitFor()
  await page
    .locator('#inside')
    .getByText(/^answered after .*, with the work done$/)
    .waitFor()
  await page
    .locator('#after')
    .getByText(/^answered after .*; the work succeeded after/)
    .waitFor()
})

for (const [where, id] of [
  ['in a thread', 'in-thread'],
  ['on the main thread', 'on-main'],
] as const) {
  browserTest(`a picture is drawn ${where}, and it says how long others waited`, async (t) => {
    const { url } = await startApp(t)
    const page = await openPage(t, url)

    await press(page, `Draw ${where}`)

    const place = page.locator(`#${id}`)
    await place.getByText(/^Others waited for up to \d/).waitFor()
    const width = await place.locator('img').evaluate((img: HTMLImageElement) => img.naturalWidth)
    assert.equal(width, 640)
    await hearWords(page, new RegExp(`^A picture, ${where}: answered after .*, finished after`))
    await page
      .locator('#delay-curve')
      .getByText(/at most \d+ m?s/)
      .waitFor()
  })
}

browserTest('a task can be cancelled, retried, and its result looked at', async (t) => {
  const { url } = await startApp(t, { WORK_SECONDS: '60', CONCURRENCY: '1' })
  const page = await openPage(t, url)
  await press(page, 'Send a job')

  await rows(page, 'running')
    .getByRole('button', { name: /^Cancel/ })
    .click()
  await rows(page, 'cancelled')
    .getByRole('button', { name: /^Retry/ })
    .click()
  await rows(page, 'running').waitFor()
  await press(page, 'Draw a picture')

  const picture = rows(page, 'succeeded').getByRole('img')
  await picture.waitFor()
  assert.match((await picture.getAttribute('alt'))!, /^The picture that task .* drew$/)
  await hearWords(page, /^A job: answered after/)
})

browserTest(
  'the list shows what was sent from elsewhere, and only the state asked for',
  async (t) => {
    const { url, tasks } = await startApp(t)
    const page = await openPage(t, url)
    await page.getByText('connected', { exact: true }).waitFor()

    await tasks.add(function fine() {})
    await tasks.add(() => fail(new Error('<b>no</b>')))

    await rows(page, 'succeeded').getByText('fine').waitFor()
    await rows(page, 'failed').getByText('<b>no</b>').waitFor()
    await page.getByLabel(/^failed/).check()
    await rows(page, 'succeeded').waitFor({ state: 'detached' })
    assert.equal(await rows(page, 'failed').count(), 1)
  },
)

browserTest(
  'an answer that was long in coming does not overtake what was told since',
  async (t) => {
    const { url } = await startApp(t, { WORK_SECONDS: '0.5' })
    const page = await openPage(t, url)
    const { opened, open } = latch()
    await page.route('**/tasks?*state=running*', async (route) => {
      const response = await route.fetch()
      await opened
      await route.fulfill({ response })
    })

    await press(page, 'Send a job')
    await rows(page, 'running').waitFor()
    await page.getByLabel(/^running/).check()
    await hearWords(page, /^A job: answered after .*, finished after/)
    const late = page.waitForResponse(/state=running/)
    open()
    await (await late).finished()
    await page.getByLabel(/^all/).check()

    await rows(page, 'succeeded').waitFor()
    assert.equal(await rows(page, 'running').count(), 0)
  },
)

browserTest('of a thousand tasks some are shown, and how many are left', async (t) => {
  const { url, tasks } = await startApp(t, { CONCURRENCY: '1000' })
  const page = await openPage(t, url)
  await page.getByText('connected', { exact: true }).waitFor()

  const wait = (_: unknown, { signal }: TaskContext) => once(signal, 'abort')
  for (let count = 0; count < 1_000; count++) await tasks.add(wait, {})

  await page.getByText('running 1000').waitFor()
  assert.equal(await page.locator('#task-list > li').count(), 30)
  await page.getByRole('button', { name: 'Show more: 970 are left' }).click()
  await page.getByRole('button', { name: 'Show more: 940 are left' }).waitFor()
  assert.equal(await page.locator('#task-list > li').count(), 60)
})

browserTest('a hundred jobs go at one click', async (t) => {
  const { url } = await startApp(t)
  const page = await openPage(t, url)

  await press(page, 'A hundred')

  await hearWords(page, /^A hundred jobs: all answered after .*, all finished after/)
})

browserTest('a queue that is full says so, and the page goes on', async (t) => {
  const { url } = await startApp(t, { WORK_SECONDS: '0.5', CAPACITY: '3' })
  const page = await openPage(t, url)
  expectProblems(page, /status of 503/)

  await press(page, 'Ten at once')

  await page
    .getByText(/^7 of 10 were not accepted\. The task queue is full.* Try again in 1 s\.$/)
    .waitFor()
  await hearWords(page, /^Ten jobs: all answered .*, 7 refused with 503, all finished/)
  await press(page, 'Send a job')
  await hearWords(page, /^A job: answered after .*, finished/)
})

browserTest('a body that is no JSON is refused in words', async (t) => {
  const { url } = await startApp(t)
  const page = await openPage(t, url)
  expectProblems(page, /status of 400/)

  await page.getByLabel('The job: a JSON object').fill('{"order": ')
  await press(page, 'Ten at once')

  await page
    .locator('#more-jobs-problem')
    .getByText(/^10 of 10 were not accepted\. /)
    .waitFor()
})

browserTest(
  'the server’s figures come every second, and the commands name this server',
  async (t) => {
    const { url } = await startApp(t)
    const page = await openPage(t, url)

    await page.locator('#charts').getByText('WebSockets: 1').waitFor()
    await page
      .locator('#charts')
      .getByText(/^Memory: \d+ MiB, heap \d+ MiB$/)
      .waitFor()
    const lines = page.locator('#charts polyline')
    await page.waitForFunction(
      () =>
        document.querySelector('#charts polyline')!.getAttribute('points')!.split(' ').length > 2,
    )
    assert.equal(await lines.count(), 9) // one for each figure
    const commands = await page.locator('.shell').allTextContents()
    assert.ok(commands.length > 5)
    for (const command of commands) assert.ok(command.includes(new URL(url).host), command)
  },
)
