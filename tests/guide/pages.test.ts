// What the guide's pages promise their reader, so that they can't go stale: quotes, links, names, parts.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { SETTINGS } from '../../lib/config.ts'
import { checkQuote, read } from '../quotes.ts'
import { commands, filesOf, LESSONS, pages, quotes } from './lessons.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const page = (name: string) => pages.get(`guide/${name}`)!
const NO_SETTINGS = ['ERR_UNKNOWN_FILE_EXTENSION', 'SIGTERM', 'POST']
const RUBY = /<ruby>[\p{sc=Han}\w]+<rp>\(<\/rp><rt>[ぁ-んァ-ヺー]+<\/rt><rp>\)<\/rp><\/ruby>/gu
const PLATFORM = ['fetch', 'setTimeout', 'setImmediate']
const variables = new Set<string>(Object.values(SETTINGS).map(({ variable }) => variable))

test('every piece of code in the guide stands in the source that it names', () => {
  assert.ok(quotes.length > 20)
  for (const { path, code } of quotes) checkQuote(path, code)
  const unnamed = [...pages].filter(([, text]) => /^```(ts|js)$/m.test(text)).map(([name]) => name)
  assert.deepEqual(unnamed, [])
})

for (const file of [...filesOf('.ts'), ...filesOf('.js')]) {
  test(`${file} has less than 40 lines, and says first what it is about`, () => {
    const source = read(file)
    assert.ok(source.split('\n').length - 1 < 40)
    assert.ok(source.startsWith('// '))
  })
}

test('every link in the guide leads somewhere', () => {
  let count = 0
  for (const [path, text] of pages) {
    for (const [, to, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = to === '' ? path : normalize(join(dirname(path), to!))
      assert.ok(existsSync(join(ROOT, target)), `${path}: ${target}`)
      const isThere = anchor === undefined || anchorsOf(read(target)).includes(anchor)
      assert.ok(isThere, `${path}: ${to}#${anchor}`)
      count++
    }
  }
  assert.ok(count > 50)
})

test('every setting that the guide names is one', () => {
  const code = ['server.ts', 'tasks.ts', 'ws.ts'].map(read).join('\n')
  let count = 0
  for (const [path, text] of pages) {
    for (const [, name = ''] of text.matchAll(/`([A-Z][A-Z_]{3,})(?:=[^`]*)?`/g)) {
      if (NO_SETTINGS.includes(name)) continue
      const isOne = variables.has(name) || new RegExp(`\\b${name}\\b`).test(code)
      assert.ok(isOne, `${path}: ${name}`)
      count++
    }
  }
  assert.ok(count > 20)
})

for (const [path, text] of pages) {
  test(`the headings of ${path} nest`, () => {
    const levels = headingsOf(text).map(([, marks]) => marks!.length)
    assert.equal(levels[0], 1)
    for (const [at, level] of levels.slice(1).entries()) {
      assert.ok(level > 1 && level <= levels[at]! + 1, `heading ${at + 2}`)
    }
  })
}

for (const lesson of LESSONS) {
  const text = page(`${lesson}/README.md`)

  test(`${lesson} has all its parts`, () => {
    const titles = headingsOf(text).map(([, , title]) => title)
    assert.match(text, /^# Lesson \d: .+\n\n\*\*In short\*\*\n\n- /)
    for (const part of [/naive way/i, /better way/i, /^Key takeaways$/, /^Exercise$/]) {
      assert.ok(
        titles.some((title) => part.test(title!)),
        String(part),
      )
    }
    assert.match(text, /what goes wrong/i)
    const [, takeaways] = /^## Key takeaways\n\n((?:- .+\n)+)/m.exec(text)!
    const count = takeaways!.trim().split('\n').length
    assert.ok(count >= 3 && count <= 5, `${count} takeaways`)
    const solution = commands.find(({ file }) => file === `guide/${lesson}/solution.ts`)
    assert.ok(solution && text.includes('[`solution.ts`](solution.ts)'))
    assert.match(text, /^> \*\*In FastAPI\*\*/m)
  })
}

test('the glossary has twenty terms in order, a sentence each, and kanji with their reading', () => {
  const rows = [...page('glossary.md').matchAll(/^\| (.+) \| (.+) \| (.+) \|$/gm)].slice(2)
  assert.equal(rows.length, 20)
  const terms = rows.map(([, term]) => term!.toLowerCase())
  assert.deepEqual(terms, terms.toSorted())
  for (const [, term = '', japanese = '', sentence = ''] of rows) {
    assert.match(sentence, /^[A-Z][^.]*\.$/, term)
    const bare = japanese.replace(RUBY, '')
    assert.match(bare, /^[ァ-ヺー・ぁ-ん（）]*$/, term)
  }
})

test('every function of this project that the map calls is one that is exported', () => {
  const lib = readdirSync(join(ROOT, 'lib')).map((name) => read(`lib/${name}`))
  const code = [read('server.ts'), ...lib].join('\n')
  const rows = page('fastapi.md').matchAll(/^\| .+ \| (.+) \| .*\|$/gm)
  const named = [...rows].flatMap(([, ours]) => [...ours!.matchAll(/(?<![.\w])([a-z]\w+)\(/g)])
  const names = new Set(named.map(([, name]) => name!))
  for (const name of PLATFORM) names.delete(name)

  assert.ok(names.size > 5)
  for (const name of names) assert.match(code, new RegExp(`export (async )?function ${name}\\b`))
})

for (const file of ['server.ts', 'tasks.ts', 'ws.ts']) {
  test(`the reading tour explains every piece of ${file}`, () => {
    const [, tour = ''] = page('reading.md').split(`\n## \`${file}\``)
    const [text] = tour.split(/\n## /)
    // Functions, constants, classes, interfaces; then methods, over several lines or on one; then inner functions.
    const declared =
      /^(?:export )?(?:async )?(?:function|const|class|interface) (\w+)|^ {2}(?:async |get )?(#?\w+)(?:<\w+>)?\([^)]*$|^ {2}(?:async |get )?(#?\w+)(?:<\w+>)?\(.*\{$|^ {2}(?:async )?function (\w+)/gm
    const names = [...read(file).matchAll(declared)].map((match) => match.slice(1).find(Boolean)!)
    assert.ok(names.length > 8)
    const missing = new Set(names.filter((name) => !new RegExp(`\`${name}(?!\\w)`).test(text!)))
    assert.deepEqual([...missing], [])
  })
}

function headingsOf(text: string): RegExpExecArray[] {
  return [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^(#+) (.+)$/gm)]
}

// As GitHub makes them.
function anchorsOf(text: string): string[] {
  return headingsOf(text).map(([, , title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
