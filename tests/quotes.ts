// What the page, the README and the guide quote has to stand in the source.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** A file of the project, by its path from the project's folder. */
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Each piece stands in the file, in this order, however it is laid out. Between pieces is a line `// …`. */
export function checkQuote(path: string, code: string): void {
  const source = flat(read(path))
  let from = 0
  for (const piece of code.split(/^\s*\/\/ …$/m)) {
    const at = source.indexOf(flat(piece), from)
    assert.notEqual(at, -1, `${path}: ${piece}`)
    from = at + flat(piece).length
  }
}

// Without what only lays it out.
function flat(code: string): string {
  const lines = code.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '').join('\n')
}
