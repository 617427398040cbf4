import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { lock } from '../lib/lock.ts'
import { spawnProgram, temporaryFolder } from './basics.ts'

const newFile = async (t: TestContext) => join(await temporaryFolder(t), 'tasks.journal')

/** Another process that has the file. */
async function ownElsewhere(t: TestContext, file: string) {
  const program = `
    import { lock } from './lib/lock.ts'
    await lock(process.env.FILE)
    console.log('{"message":"mine"}')
    setInterval(() => {}, 60_000)`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
  const owner = spawnProgram(t, { FILE: file }, args)
  await owner.line('mine')
  return owner
}

const besides = async (file: string) => (await readdir(dirname(file))).toSorted()

test('X15: a file has one owner, until that one gives it back', async (t) => {
  const file = await newFile(t)
  const release = await lock(file)
  await assert.rejects(lock(file), /another process has the journal/)
  await assert.rejects(lock(file), /another process has the journal/)

  await release()
  await release() // does no harm
  const releaseAgain = await lock(file)
  await releaseAgain()
  assert.deepEqual(await besides(file), [])
})

test('X15: a file that another process has is refused, and free when that one is killed', async (t) => {
  const file = await newFile(t)
  const owner = await ownElsewhere(t, file)
  await assert.rejects(lock(file), /another process has the journal/)

  owner.child.kill('SIGKILL')
  await owner.exited
  const left = await besides(file)
  assert.equal(left.length, 1, 'a killed process removes nothing')

  const release = await lock(file)
  t.after(release)
  const names = await besides(file)
  assert.equal(names.length, 1)
  assert.notDeepEqual(names, left)
})

test('X15: an owner that is stopped is still the owner', async (t) => {
  const file = await newFile(t)
  const owner = await ownElsewhere(t, file)
  owner.child.kill('SIGSTOP')
  await assert.rejects(lock(file), /another process has the journal/)
  owner.child.kill('SIGCONT')
  await assert.rejects(lock(file), /another process has the journal/)
})

test('of many that start together never two are owners, and none is in the way later', async (t) => {
  const file = await newFile(t)
  const outcomes = await Promise.allSettled(Array.from({ length: 16 }, () => lock(file)))
  const owners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  assert.ok(owners.length <= 1, `${owners.length} owners`)
  for (const { value: release } of owners) await release()

  const release = await lock(file)
  await release()
  assert.deepEqual(await besides(file), [])
})

test('other files have owners of their own, and what lies beside is left alone', async (t) => {
  const file = await newFile(t)
  const folder = dirname(file)
  await mkdir(join(folder, 'folder'))
  for (const name of [basename(file), 'tasks.journal.new', 'other.owner-01234567', 'notes']) {
    await writeFile(join(folder, name), name)
  }
  const before = await besides(file)

  const releases = [await lock(file), await lock(join(folder, 'tasks.journal2'))]
  for (const release of releases) await release()

  assert.deepEqual(await besides(file), before)
})

test('a path that is too long for a socket is named, and so is the limit', async (t) => {
  const file = join(await temporaryFolder(t), 'x'.repeat(100))
  await assert.rejects(lock(file), /at most 103 bytes, got .*x{100}/)
  assert.deepEqual(await besides(file), [])
})
