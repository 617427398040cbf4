import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import { AbortableContext } from '../lib/context.ts'
import { type Definition, defineTask } from '../lib/definition.ts'
import { createLog, withFields } from '../lib/log.ts'
import type { ByteResult } from '../lib/result.ts'
import { NonRetryableError } from '../lib/retry.ts'
import { Threads } from '../lib/threads.ts'
import { latch, silent, spawnProgram, temporaryFolder, until } from './basics.ts'
import * as jobs from './thread-jobs.ts'

function startThreads(t: TestContext): Threads {
  const threads = new Threads()
  t.after(() => threads.close())
  return threads
}

// For all that does not ask how many there are: to start one takes time.
const shared = new Threads()
after(() => shared.close())

/** Runs it; `told` is its progress, `hasBegun` opens with the first of it. */
function run(threads: Threads, definition: Definition<never>, payload?: unknown, log = silent) {
  const told: [fraction: number, note: string | null][] = []
  const { opened: hasBegun, open } = latch()
  const onProgress = (...progress: (typeof told)[number]) => {
    told.push(progress)
    open()
  }
  const context = new AbortableContext('an-id', 2, log, { onProgress })
  const text = payload === undefined ? undefined : JSON.stringify(payload)
  const result = threads.run(definition, text, context)
  return { context, result, told, hasBegun }
}

const jsonCases: [what: string, definition: Definition<never>, payload: unknown, text: unknown][] =
  [
    ['JSON', jobs.echo, { a: [1, null] }, '{"a":[1,null]}'],
    ['null', jobs.echo, null, 'null'],
    ['nothing', jobs.echo, undefined, null],
    ['its id and its attempt', jobs.who, undefined, '{"id":"an-id","attempt":2}'],
  ]

for (const [what, definition, payload, expected] of jsonCases) {
  test(`a thread gives back ${what}`, async () => {
    assert.equal(await run(shared, definition, payload).result, expected)
  })
}

const isLinux = process.platform === 'linux'

test('a thread leaves the cores to the event loop first', { skip: !isLinux }, async () => {
  assert.equal(await run(shared, jobs.rank).result, String(getPriority() + 10))
})

for (const [kind, make] of Object.entries(jobs.BYTES)) {
  test(`bytes of a thread arrive, and nothing else of its memory: ${kind}`, async () => {
    const { type, bytes } = (await run(shared, jobs.bytes, kind).result) as ByteResult

    const isTyped = !(make() instanceof Uint8Array)
    assert.equal(type, isTyped ? 'image/png' : 'application/octet-stream')
    assert.deepEqual([...bytes], [1, 2, 3])
    assert.equal(bytes.buffer.byteLength, 3)
    assert.equal(await run(shared, jobs.echo, 'next').result, '"next"')
    assert.equal(shared.size, 1)
  })
}

for (const isBroken of [false, true]) {
  test(`the last progress is told before a thread ${isBroken ? 'throws' : 'returns'}`, async () => {
    const { told, result } = run(shared, jobs.tell, isBroken)
    if (isBroken) await assert.rejects(result, /^Error: broken$/)
    else await result
    assert.deepEqual(told[0], [0.5, 'on the way'])
    assert.deepEqual(told.at(-1), [1, 'last'])
  })
}

test('progress is told while the thread blocks', async () => {
  const { context, told, result } = run(shared, jobs.spin)

  await until(() => told.length >= 3)
  context.abort(new Error('seen enough'))

  await assert.rejects(result, /the thread ended/)
  assert.deepEqual(told[2], [0.5, null])
})

test('log lines of a thread carry the fields of the caller, and odd ones do no harm', async () => {
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line), JSON.stringify)

  await withFields({ requestId: 'r1' }, () => run(shared, jobs.speak, undefined, log).result)

  const [first, odd, ...others] = lines.map((line) => JSON.parse(line))
  const { time: _, ...fields } = first
  assert.deepEqual(fields, { level: 'info', message: 'first', requestId: 'r1', answer: 42 })
  assert.equal(odd.level, 'error')
  assert.equal(odd.requestId, 'r1')
  assert.equal(odd.cycle, 'unreadable')
  assert.equal(odd.error.message, 'inside')
  assert.deepEqual(others, [])
})

const thrown: [what: string, name: string, message: string, isFinal: boolean, stack: RegExp][] = [
  ['an error', 'TypeError', 'broken', false, /thread-jobs\.ts/],
  ['a final one', 'NonRetryableError', 'broken for good', true, /thread-jobs\.ts/],
  ['undefined', 'undefined', 'undefined', false, /^/],
  ['a revoked proxy', 'object', 'unreadable', false, /^/],
  ['an odd stack', 'Error', 'odd', false, /^/],
]

for (const [what, name, message, isFinal, stack] of thrown) {
  test(`what a thread throws arrives, and costs no thread: ${what}`, async () => {
    const id = await run(shared, jobs.identify).result

    await assert.rejects(run(shared, jobs.broken, what).result, (error: Error) => {
      assert.deepEqual([error.name, error.message], [name, message])
      assert.equal(error instanceof NonRetryableError, isFinal)
      assert.match(error.stack!, stack)
      return true
    })
    assert.equal(await run(shared, jobs.identify).result, id)
  })
}

const inJobs = { thread: jobs.echo.thread! }
const noModule = { thread: new URL('./no-such-module.ts', import.meta.url) }

const failures: [
  what: string,
  Definition<never>,
  payload: unknown,
  message: RegExp,
  lost: number,
][] = [
  ['has no such definition', defineTask('none', () => {}, inJobs), 0, /the definition "none"/, 0],
  ['cannot load the module', defineTask('none', () => {}, noModule), 0, /no-such-module/, 0],
  ['calls process.exit', jobs.leave, undefined, /ended with code 3/, 1],
  ['throws in a timer', jobs.throwLater, true, /^Error: in a timer$/, 1],
]

for (const [what, definition, payload, message, lost] of failures) {
  test(`a thread that ${what} fails its own job and no other`, async (t) => {
    const channel = new BroadcastChannel(`beside ${what}`)
    t.after(() => channel.close())
    const beside = run(shared, jobs.listen, channel.name)
    await beside.hasBegun
    await run(shared, jobs.echo, 'in the one that will fail').result
    const { size } = shared

    await assert.rejects(run(shared, definition, payload).result, message)
    assert.equal(shared.size, size - lost)
    assert.equal(await run(shared, jobs.echo, 'next').result, '"next"')
    channel.postMessage('go on')
    assert.equal(await beside.result, '"heard"')
  })
}

test('a thread that dies when it has nothing to do is replaced', async () => {
  await run(shared, jobs.echo, 'as long as it lives').result
  const { size } = shared
  await run(shared, jobs.throwLater, false).result.catch(() => {}) // it may come in time for it
  await until(() => shared.size < size)
  assert.equal(await run(shared, jobs.echo, 'next').result, '"next"')
})

test('threads are used again, and there are as many as jobs at a time', async (t) => {
  const threads = startThreads(t)
  const first = await run(threads, jobs.identify).result
  assert.equal(await run(threads, jobs.identify).result, first)
  assert.equal(threads.size, 1)

  const ids = await Promise.all([1, 2, 3].map(() => run(threads, jobs.identify).result))
  assert.equal(new Set(ids).size, 3)
  assert.equal(threads.size, 3)
})

test('an endless loop in a thread leaves the event loop free, and ends when it is aborted', async () => {
  const id = await run(shared, jobs.identify).result
  const { size } = shared
  const { context, result, hasBegun } = run(shared, jobs.spin)
  await hasBegun
  for (let i = 0; i < 100; i++) await turn()

  context.abort(new Error('stop'))

  await assert.rejects(result, /the thread ended/)
  assert.equal(shared.size, size - 1)
  assert.notEqual(await run(shared, jobs.identify).result, id)
})

test('a job that was aborted before it began does not begin', async () => {
  const context = new AbortableContext('id', 1, silent, { onProgress: () => assert.fail('began') })
  context.abort(new Error('stop'))
  await assert.rejects(shared.run(jobs.spin, undefined, context), /the thread ended/)
  assert.equal(await run(shared, jobs.echo, 'next').result, '"next"')
})

test('an abort after the end of a job does not end the thread', async () => {
  const { context, result } = run(shared, jobs.identify)
  const id = await result
  context.abort(new Error('late'))
  assert.equal(await run(shared, jobs.identify).result, id)
})

test('closing ends all threads, whatever they do', async (t) => {
  const threads = startThreads(t)
  const spinning = run(threads, jobs.spin)
  const ended = assert.rejects(spinning.result, /the thread ended/)
  await spinning.hasBegun
  await run(threads, jobs.echo, 'idle').result
  assert.equal(threads.size, 2)

  await threads.close()

  assert.equal(threads.size, 0)
  await ended
})

test('a thread that has nothing to do does not keep the process alive', async (t) => {
  const program = `
    import { Threads } from './lib/threads.ts'
    import { AbortableContext } from './lib/context.ts'
    import { echo } from './tests/thread-jobs.ts'
    const result = await new Threads().run(echo, '1', new AbortableContext('id', 1, console))
    console.log(JSON.stringify({ message: 'result ' + result }))`
  const loader = process.features.typescript ? [] : ['--import', 'tsx']
  const args = [...loader, '--input-type=module', '--eval', program]
  const { exited, line } = spawnProgram(t, {}, args)
  await line('result 1')
  assert.equal(await exited, 0)
})

test('a thread with something left over is not used again, so that no job fails for another', async () => {
  const first = await run(shared, jobs.litter, 20).result
  const second = await run(shared, jobs.identify).result
  assert.notEqual(first, second)
  const third = await run(shared, jobs.identify).result
  assert.equal(second, third)
})

test('what a job posts to the thread that started its own is nothing to us', async () => {
  assert.equal(await run(shared, jobs.chatter).result, '"genuine"')
})

test('T8: a thread that floods its log is heard in part, and says so', async () => {
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line), JSON.stringify)
  await run(shared, jobs.flood, 20_000, log).result
  const { message, dropped } = JSON.parse(lines.at(-1)!)
  assert.match(message, /dropped/)
  assert.equal(dropped + lines.length - 1, 20_000)
  assert.ok(lines.length < 10_000, `${lines.length} lines`)
})

for (const kind of ['shared', 'wasm', 'pool']) {
  test(`bytes that can't be given away are copied: ${kind}`, async () => {
    const { bytes } = (await run(shared, jobs.odd, kind).result) as ByteResult
    assert.ok(bytes.byteLength > 0)
    assert.ok(bytes.buffer instanceof ArrayBuffer)
  })
}

test('a module that starts a server is no module for a thread, and says so', async (t) => {
  const file = join(await temporaryFolder(t), 'server.mjs')
  const processUrl = new URL('../lib/process.ts', import.meta.url)
  const text = `import { run } from '${processUrl}'\nawait run(() => import('node:http'))\n`
  await writeFile(file, text)
  const work = defineTask('work', () => {}, { thread: pathToFileURL(file) })
  await assert.rejects(run(shared, work).result, /main thread/)
})

for (const how of ['promise', 'tick', 'timer']) {
  test(`an error that nobody catches, of a ${how}, fails no other job`, async () => {
    assert.equal(await run(shared, jobs.idle, 0).result, '"innocent"')
    await run(shared, jobs.float, how).result.catch(() => {}) // it is the one that may fail
    assert.equal(await run(shared, jobs.idle, 20).result, '"innocent"')
  })
}

test('a job that ends its own thread at its end fails alone, or its result arrives whole', async () => {
  for (let round = 0; round < 3; round++) {
    const ended = await run(shared, jobs.quit).result.catch((error) => String(error))
    const expected = typeof ended === 'string' && (ended.length > 3_000_000 || /code 0/.test(ended))
    assert.ok(expected, String(ended).slice(0, 100))
    assert.equal(await run(shared, jobs.echo, 'next').result, '"next"')
  }
})
