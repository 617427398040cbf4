import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, inflateSync } from 'node:zlib'
import { encodePng } from '../../lib/png.ts'

/** Type and data of each chunk. */
function chunksOf(png: Buffer): [type: string, data: Buffer][] {
  const chunks: [string, Buffer][] = []
  for (let at = 8; at < png.length; ) {
    const end = at + 8 + png.readUInt32BE(at)
    assert.equal(png.readUInt32BE(end), crc32(png.subarray(at + 4, end)))
    chunks.push([png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, end)])
    at = end + 4
  }
  return chunks
}

test('a picture is a signature and four chunks, each with the right checksum', () => {
  const palette = Uint8Array.of(0, 0, 0, 255, 128, 0)
  const png = Buffer.from(encodePng(3, 2, Uint8Array.of(0, 1, 0, 1, 1, 0), palette))

  assert.equal(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n')
  const chunks = chunksOf(png)
  assert.deepEqual(
    chunks.map(([type]) => type),
    ['IHDR', 'PLTE', 'IDAT', 'IEND'],
  )
  const [header, colours, pixels, end] = chunks.map(([, data]) => data)
  assert.deepEqual([...header!], [0, 0, 0, 3, 0, 0, 0, 2, 8, 3, 0, 0, 0])
  assert.deepEqual([...colours!], [...palette])
  assert.deepEqual([...inflateSync(pixels!)], [0, 0, 1, 0, 0, 1, 1, 0])
  assert.equal(end!.length, 0)
})
