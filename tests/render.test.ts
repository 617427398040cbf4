import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { render, VIEW, type View } from '../jobs/render.ts'
import { AbortableContext } from '../lib/context.ts'
import { type NumberField, numbersOf } from '../lib/numbers.ts'
import { encodePng } from '../lib/png.ts'
import { type ByteResult, resultOf } from '../lib/result.ts'
import { Threads } from '../lib/threads.ts'
import { silent } from './basics.ts'

// The signature, the chunk IHDR, and the chunk PLTE with its 256 colours come before.
const IDAT = 8 + (12 + 13) + (12 + 3 * 256)

/** Size and pixels. */
function parse(png: Buffer) {
  assert.equal(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n')
  assert.equal(png.toString('latin1', IDAT + 4, IDAT + 8), 'IDAT')
  const data = png.subarray(IDAT + 8, IDAT + 8 + png.readUInt32BE(IDAT))
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20), rows: inflateSync(data) }
}

test('a picture is rendered in a thread, and shows the set in its middle', async (t) => {
  const threads = new Threads()
  t.after(() => threads.close())
  const told: [number, string | null][] = []
  const onProgress = (...progress: (typeof told)[number]) => void told.push(progress)
  const context = new AbortableContext('id', 1, silent, { onProgress })
  const view = numbersOf({ width: 64, height: 48 }, VIEW)

  const result = (await threads.run(render, JSON.stringify(view), context)) as ByteResult

  assert.equal(result.type, 'image/png')
  const { width, height, rows } = parse(Buffer.from(result.bytes))
  assert.deepEqual([width, height, rows.length], [64, 48, (64 + 1) * 48])
  const pixel = (x: number, y: number) => rows[y * (64 + 1) + 1 + x]
  assert.equal(pixel(32, 24), 0)
  for (const [x, y] of [
    [0, 0],
    [63, 0],
    [0, 47],
    [63, 47],
  ] as const)
    assert.notEqual(pixel(x, y), 0)
  assert.deepEqual(told.at(-1), [1, 'row 48 of 48'])
})

test('a picture of which everything is asked for by default has 640 by 480 pixels', () => {
  const view: View = { width: 640, height: 480, x: -0.6, y: 0, zoom: 1, iterations: 200 }
  assert.deepEqual(numbersOf({}, VIEW), view)
})

for (const [name, { least, most, isWhole }] of Object.entries<NumberField>(VIEW)) {
  test(`a picture is refused for its ${name} outside of the bounds, and not on them`, () => {
    const numberOf = (value: unknown) => numbersOf({ [name]: value }, VIEW)[name as keyof View]
    for (const value of [least, most]) assert.equal(numberOf(value), value)
    const refused = [least - 1, most + 1, `${least}`, null, Number.NaN, isWhole ? 100.5 : most * 2]
    for (const value of refused) assert.throws(() => numberOf(value), { status: 422 }, `${value}`)
  })
}

test('the worst picture that can be asked for is not too large for a result', () => {
  const [width, height] = [VIEW.width.most, VIEW.height.most]
  const bytes = encodePng(width, height, randomBytes(width * height), randomBytes(3 * 256))
  assert.ok(bytes.length > width * height)
  assert.notEqual(resultOf({ type: 'image/png', bytes }, true), null)
})
