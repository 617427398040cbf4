// What the demo page asks of a browser, beside its aims: `npm run page`, or `node page.ts 1` for one
// round. The browser is the Chromium of the tests, which draws without a GPU.
//
// Each round has a server and a page of its own, with a cold cache, and what comes is done to that page,
// in this order. What is printed is the median and, in brackets, the least and the most.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Browser, chromium, type Page } from 'playwright-core'
import { lacking, options } from '../tests/browser/chromium.ts'
import { type Figures, machine, summary } from './figures.ts'

const WATCH = 2_000 // milliseconds in which frames are counted
const LIMIT = 60_000 // milliseconds for any round
const SLOWER = 4 // times, where the CPU is throttled
const viewport = { width: 1_280, height: 800 } // the timeline and the list of tasks are both in view

// A thousand jobs run at once, and each of them tells twenty times how far it is.
const SETTINGS = {
  PORT: '0',
  CONCURRENCY: '1000',
  CAPACITY: '2000',
  WORK_SECONDS: '30',
  WORK_FILE: devNull,
  JOURNAL: 'off',
}

type Visit = Readonly<Record<string, Figures>>

// — a server and its page —

/** Resolves to its address, and what ends it. */
async function start(): Promise<{ url: string; end: () => Promise<void> }> {
  const child = spawn(process.execPath, ['server.ts'], {
    cwd: join(import.meta.dirname, '..'),
    env: SETTINGS,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended])
  if (typeof line !== 'string') throw new Error(`expected a server, but it ended with ${line}`)
  const end = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { url: JSON.parse(line).url, end }
}

async function measure(browser: Browser): Promise<Visit> {
  const server = await start()
  try {
    // a context of its own, which closes with the page
    const page = await browser.newPage({ viewport })
    const late = setTimeout(() => page.close(), LIMIT) // what is waited for then rejects
    return await visit(page, server.url).finally(() => {
      clearTimeout(late)
      return page.close()
    })
  } finally {
    await server.end()
  }
}

async function visit(page: Page, url: string): Promise<Visit> {
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click()
  const hosts: string[] = []
  page.on('request', (request) => hosts.push(new URL(request.url()).host))
  page.on('websocket', (socket) => hosts.push(new URL(socket.url()).host))
  await page.goto(url)
  await page.getByText('connected', { exact: true }).waitFor()
  const idle = await frames(page)
  const load = {
    ...(await loaded(page)),
    requests: hosts.length,
    'of other hosts': hosts.filter((host) => host !== new URL(url).host).length,
  }

  await press('Send twenty')
  await page.getByText('running 20').waitFor()
  const twenty = await frames(page)

  for (let hundred = 0; hundred < 10; hundred++) await press('A hundred')
  await page.getByText('running 1000').waitFor()
  const thousand = await frames(page)

  const session = await page.context().newCDPSession(page)
  await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
  const throttled = await frames(page)
  await page.getByText('running 1000').waitFor() // still
  const slower = `1,000 tasks run, on a CPU ${SLOWER} times slower`
  return { load, idle, '20 jobs run': twenty, '1,000 tasks run': thousand, [slower]: throttled }
}

// — what is measured in the page —

function loaded(page: Page): Promise<Figures> {
  return page.evaluate(() => {
    const all = ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))
    const sizes = all.map((entry) => (entry as PerformanceResourceTiming).encodedBodySize)
    const [paint] = performance.getEntriesByName('first-contentful-paint')
    return {
      'ms to the first paint': paint!.startTime,
      'bytes of bodies': sizes.reduce((sum, size) => sum + size),
    }
  })
}

/** It asks for each frame, also where the page itself has nothing to draw. */
async function frames(page: Page): Promise<Figures> {
  const times = await page.evaluate(async (duration) => {
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const times = [performance.now()]
    while (times.at(-1)! - times[0]! < duration) {
      await next()
      times.push(performance.now())
    }
    return times
  }, WATCH)
  const gaps = times.slice(1).map((time, index) => time - times[index]!)
  const passed = times.at(-1)! - times[0]!
  const rate = (gaps.length / passed) * 1_000
  return { 'frames a second': rate, 'ms, the longest': Math.max(...gaps) }
}

// — the runner —

async function measureAll(browser: Browser): Promise<void> {
  const visits: Visit[] = []
  while (visits.length < Number(rounds)) visits.push(await measure(browser))
  console.log(`${machine}, Chromium ${browser.version()}`)
  console.log('Aims: under 200 ms, under 100,000 bytes, no other host, over 30 frames a second.\n')
  for (const name of Object.keys(visits[0]!)) {
    console.log(`${name}: ${summary(visits.map((visit) => visit[name]!))}`)
  }
}

if (!options.executablePath) throw new Error(lacking)
const [, , rounds = '7'] = process.argv
const browser = await chromium.launch(options)
try {
  await measureAll(browser)
} finally {
  await browser.close()
}
