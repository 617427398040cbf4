// What people do on the demo page and what they see there, by the ids, labels and names of
// `static/index.html`. What is seen is waited for; if it does not come, the failure says what was there.

import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, type PageOptions } from './browser.ts'

/** The page of an open server, as this user, once it is connected. */
export async function openDemo(
  t: TestContext,
  url: string,
  user: string,
  options?: PageOptions,
): Promise<Page> {
  const page = await openPage(t, `${url}/?user=${user}`, options)
  await says(page, 'status', /^connected$/)
  return page
}

/** The element with this id comes to say something like that. */
export async function says(page: Page, id: string, words: RegExp): Promise<void> {
  const isSaid = ([id, { source, flags }]: [string, RegExp]) => {
    return new RegExp(source, flags).test(document.getElementById(id)?.textContent ?? '')
  }
  try {
    await page.waitForFunction(isSaid, [id, words] as [string, RegExp])
  } catch (error) {
    assert.match((await page.locator(`#${id}`).textContent())!, words)
    throw error
  }
}

/** The list with this id comes to have these lines and no others; the time of day is left out. */
export async function showsLines(page: Page, id: string, expected: string[]): Promise<void> {
  const hasLines = ([id, expected]: [string, string[]]) => {
    const lines = [...document.querySelectorAll(`#${id} > li`)]
    const texts = lines.map(({ textContent }) => textContent!.replace(/^\d\d:\d\d:\d\d /, ''))
    return texts.join('\n') === expected.join('\n')
  }
  try {
    await page.waitForFunction(hasLines, [id, expected] as [string, string[]])
  } catch (error) {
    assert.deepEqual(await linesOf(page, id), expected)
    throw error
  }
}

async function linesOf(page: Page, id: string): Promise<string[]> {
  const texts = await page.locator(`#${id} > li`).allTextContents()
  return texts.map((text) => text.replace(/^\d\d:\d\d:\d\d /, ''))
}

export async function chat(page: Page, text: string): Promise<void> {
  await page.getByLabel(/^Say in /).fill(text)
  await page.getByLabel(/^Say in /).press('Enter')
}

export async function enterRoom(page: Page, room: string): Promise<void> {
  await page.getByLabel('Room', { exact: true }).fill(room)
  await page.getByRole('button', { name: 'Enter', exact: true }).click()
}

export async function notify(page: Page, user: string, message: string): Promise<void> {
  await page.getByLabel('To the user').fill(user)
  await page.getByLabel('Message', { exact: true }).fill(message)
  await page.getByRole('button', { name: 'Notify', exact: true }).click()
}

export async function echo(page: Page, text: string): Promise<void> {
  await page.getByLabel('Say something').fill(text)
  await page.getByLabel('Say something').press('Enter')
}

/** What can be scrolled sideways: the page itself, or a part of it. */
export function scrollsSideways(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const parts = [...document.body.querySelectorAll<HTMLElement>('*')].filter((element) =>
      ['auto', 'scroll'].includes(getComputedStyle(element).overflowX),
    )
    return [document.documentElement, ...parts]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .map((element) => `${element.tagName} ${element.id}: ${element.scrollWidth} pixels`)
  })
}
