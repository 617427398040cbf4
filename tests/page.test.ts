// The demo page as a whole, without a browser: what it weighs, what it loads, and what it quotes.
// What it does, is in tests/browser/.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connectSocket, startApp } from './helpers.ts'
import { checkQuote, read } from './quotes.ts'

const ROOT = join(import.meta.dirname, '..')
const page = read('static/index.html')
const modules = readdirSync(join(ROOT, 'static'), { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.js'),
)

test('the page and all that it loads are under 100 KB, from this server alone', async (t) => {
  const { url } = await startApp(t)
  const sizes = new Map<string, number>()
  const load = async (address: URL): Promise<void> => {
    if (sizes.has(address.href)) return
    sizes.set(address.href, 0)
    assert.equal(address.origin, url)
    const reply = await fetch(address)
    assert.equal(reply.status, 200, address.href)
    const text = await reply.text()
    sizes.set(address.href, Buffer.byteLength(text))
    const links = text.matchAll(
      /(?:<link [^>]*href=|<script [^>]*src=|\bfrom |\burl\()["']([^"']+)/g,
    )
    await Promise.all([...links].map(([, link]) => load(new URL(link!, address))))
  }

  await load(new URL(url))

  assert.ok(sizes.size > 10)
  const sum = [...sizes.values()].reduce((all, size) => all + size, 0)
  assert.ok(sum < 100_000, `${sum} bytes`)
})

test('the code under a panel stands in the source', () => {
  const quotes = [...page.matchAll(/<pre data-source="([^"]+)">([\s\S]*?)<\/pre>/g)]
  assert.ok(quotes.length > 5)
  for (const [, path, code] of quotes) {
    const text = code!.replaceAll('&lt;', '<').replaceAll('&amp;', '&')
    checkQuote(path!, text)
  }
})

for (const path of modules) {
  test(`static/${path} has at most 250 lines, and imports only what is beside it`, () => {
    const source = read(join('static', path))
    assert.ok(source.split('\n').length <= 251)
    for (const [, name] of source.matchAll(/\bfrom '([^']+)'/g)) assert.match(name!, /^\.\.?\//)
  })
}

test('what the page says to type into wscat is understood', async (t) => {
  const { url } = await startApp(t)
  const socket = await connectSocket(t, url, { user: 'alice' })
  const typed = [...page.matchAll(/^> (.+?)(?:<\/pre>)?$/gm)].map(([, text]) => text!)
  assert.ok(typed.length > 3)
  for (const text of typed) assert.equal((await socket.ask(JSON.parse(text))).type, 'ok', text)
})
