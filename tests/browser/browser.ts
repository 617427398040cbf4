// What the browser's tests share: a real Chromium, pages that are watched while they are open, and axe,
// which looks for what keeps people out. A test fails for whatever its pages complain of, unless it has
// said that this is to be expected.

import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import axe from 'axe-core'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { lacking, options } from './chromium.ts'

const PATIENCE = 15_000 // milliseconds; it catches what hangs, and is no measure of speed

// WCAG 2.2 up to level AA, what axe adds of its own accord, and what it does not yet trust itself with.
const TAGS = [
  'wcag2a',
  'wcag2aa',
  'wcag21a',
  'wcag21aa',
  'wcag22aa',
  'best-practice',
  'experimental',
]

let browser: Promise<Browser> | undefined
after(async () => (await browser)?.close())

/** One for all the tests of a file, with a new profile. */
function launch(): Promise<Browser> {
  browser ??= chromium.launch(options)
  return browser
}

interface Watch {
  readonly context: BrowserContext
  readonly problems: string[]
  readonly expected: RegExp[]
}

const watchOf = new WeakMap<BrowserContext, Watch>()
const watchesOf = new WeakMap<TestContext, Watch[]>()

/**
 * A test with pages of `openPage`, which fails for any problem that they had. Without a Chromium it is
 * skipped, but not with `CI=true`: there it fails.
 */
export function browserTest(title: string, body: (t: TestContext) => Promise<void>): void {
  const skip = !options.executablePath && process.env.CI !== 'true' && lacking
  test(title, { skip }, (t) => {
    assert.ok(options.executablePath, lacking)
    return watched(t, body)
  })
}

/** Closes the pages that were opened, before `t.after` stops the server. Rejects if one had problems. */
export async function watched(
  t: TestContext,
  body: (t: TestContext) => Promise<void>,
): Promise<void> {
  const opened: Watch[] = []
  watchesOf.set(t, opened)
  try {
    await body(t)
  } catch (error) {
    for (const problem of opened.flatMap(unexpected)) t.diagnostic(problem) // they may explain it
    throw error
  } finally {
    for (const { context } of opened) await context.close()
  }
  const problems = opened.flatMap(unexpected)
  if (problems.length > 0) assert.fail(problems.join('\n'))
}

function unexpected({ problems, expected }: Watch): string[] {
  return problems.filter((problem) => !expected.some((pattern) => pattern.test(problem)))
}

export interface PageOptions {
  width?: number
  height?: number
  theme?: 'light' | 'dark'
  reducedMotion?: boolean
}

/** A page that knows no other: it has cookies, storage and a cache of its own. */
export async function openPage(
  t: TestContext,
  url: string,
  { width = 1280, height = 800, theme = 'light', reducedMotion = false }: PageOptions = {},
): Promise<Page> {
  const context = await (await launch()).newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
  })
  const watch = watchOver(context, new URL(url).host)
  watchesOf.get(t)!.push(watch)
  context.setDefaultTimeout(PATIENCE)
  // tsx names functions by a helper of its own, which those that run in a page would miss there.
  await context.addInitScript('globalThis.__name = (target) => target')
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** Notes what goes wrong in these pages: what they log, throw, fail to load, or load from elsewhere. */
function watchOver(context: BrowserContext, host: string): Watch {
  const problems: string[] = []
  const note = (...parts: unknown[]) => void problems.push(parts.join(' '))
  const noteForeign = (url: string) => {
    if (/^(http|ws)s?:/.test(url) && new URL(url).host !== host) note('another host:', url)
  }
  context.on('console', (message) => {
    if (!['warning', 'error'].includes(message.type())) return
    const { url, line } = message.location()
    note(`${message.type()}:`, message.text(), `(${url}:${line + 1})`)
  })
  context.on('weberror', (error) => note('uncaught:', error.error().stack ?? error.error()))
  context.on('request', (request) => noteForeign(request.url()))
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText
    if (why !== 'net::ERR_ABORTED') note('failed:', request.url(), why) // the page itself gave that up
  })
  context.on('page', (page) => page.on('websocket', (socket) => noteForeign(socket.url())))
  const watch = { context, problems, expected: [] }
  watchOf.set(context, watch)
  return watch
}

/** Problems of this page's context that are part of the test: what a stopped server brings, for one. */
export function expectProblems(page: Page, pattern: RegExp): void {
  watchOf.get(page.context())!.expected.push(pattern)
}

/** All that was noted so far, also what is expected. */
export function problemsOf(page: Page): readonly string[] {
  return watchOf.get(page.context())!.problems
}

/** The directives that the page's policy has refused something by, once there are so many. */
export async function hearRefusals(page: Page): Promise<(count: number) => Promise<string[]>> {
  const heard = await page.evaluateHandle(() => {
    const directives: string[] = []
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
      directives.push(effectiveDirective)
    })
    return directives
  })
  return async (count) => {
    await page.waitForFunction(([heard, count]) => heard.length >= count, [heard, count] as const)
    return (await heard.jsonValue()).toSorted()
  }
}

declare global {
  interface Window {
    axe: typeof axe
  }
}

/** What axe finds in the page as it is shown now: rule, element, why. Waits for animations to end. */
export async function findViolations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source) // the page's policy has no say in what a debugger runs
  return page.evaluate(async (values) => {
    // half faded in, nothing has its contrast yet
    const running = document.getAnimations().filter(({ playState }) => playState === 'running')
    const ending = running.filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
    await Promise.allSettled(ending.map(({ finished }) => finished))

    const { violations } = await window.axe.run({ runOnly: { type: 'tag', values } })
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary = '' }) => {
        const [, why] = failureSummary.split(/\n */) // the first line only says to fix it
        return `${id}: ${why}: ${target.join(' ')}`
      }),
    )
  }, TAGS)
}
