// Each call that the journal makes on its files, from its beginning on, fails once, and is once the end
// of the process. What has to hold then is in `sweep.ts`; where a crash was before, in `recovery.test.ts`.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Compiled } from './compiled.ts'
import { Book, type Client, type Situation, survive, sweepAll } from './sweep.ts'

let compiled: Compiled
before(async () => {
  compiled = await Compiled.make()
})
after(() => compiled.remove())

async function drive(client: Client): Promise<void> {
  const [first, second] = await Promise.all([
    client.add('notify', '/notify/alice', { message: 'é' }),
    client.add('notify', '/notify/bob'),
    client.add('write-log', '/process', { n: 1 }),
  ])
  const [, cancelled] = await Promise.all([client.cancel(first), client.cancel(second)])
  await client.retry(cancelled)
  await client.add('write-log', '/process', { n: 2 })
}

const begin = (): Situation => ({ server: compiled.folder, book: new Book(), drive })

sweepAll(
  [
    ['J11, J12: a write that fails', ['write'], ['EIO', 'ENOSPC']],
    ['J11: a sync that fails', ['fdatasync'], ['EIO', 'ENOSPC']],
    ['J11: the first sync of all that fails', ['fsync'], ['EIO']],
    ['J1: a kill before a write', ['write'], ['SIGKILL']],
    ['J3, J8: a kill between a write and its sync', ['fdatasync', 'fsync'], ['SIGKILL']],
    ['J4: a kill between a sync and what it confirms', ['stat'], ['SIGKILL']],
  ],
  begin,
)

for (const [what, call, effect] of [
  ['full', 'write', 'ENOSPC'],
  ['broken', 'fdatasync', 'EIO'],
] as const) {
  test(`J11: a disk that is ${what} from then on is one failure, and is not asked again`, async () => {
    assert.ok(await survive(begin(), { call, what: effect, nth: 3, isLasting: true }))
  })
}
