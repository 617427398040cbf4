import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { within } from '../../lib/within.ts'

test('waiting has a limit', async () => {
  assert.equal(await within(5_000, Promise.resolve()), true)
  assert.equal(await within(1, new Promise(() => {})), false)
  await assert.rejects(within(5_000, Promise.reject(new Error('no'))), /no/)
})

test('what has come while the event loop was blocked for longer than the limit is in time', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => near.destroy())
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])

  far.write('x')
  const isInTime = within(20, once(near, 'data'))
  const end = performance.now() + 100
  while (performance.now() < end);

  assert.equal(await isInTime, true)
})
