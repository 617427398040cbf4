// What threads.test.ts has threads do: a thread imports this module and finds them among its exports.

import { getPriority } from 'node:os'
import { BroadcastChannel, parentPort, threadId } from 'node:worker_threads'
import type { TaskContext } from '../lib/context.ts'
import { defineTask } from '../lib/definition.ts'
import { NonRetryableError } from '../lib/retry.ts'

// Not from basics.ts: each thread would load all of it.
function fail(error: unknown): never {
  throw error
}

const options = { thread: new URL(import.meta.url) }

export const echo = defineTask('echo', (payload: unknown) => payload, options)
export const rank = defineTask('rank', () => getPriority(), options)
export const identify = defineTask('identify', () => threadId, options)
export const who = defineTask('who', (_: unknown, { id, attempt }) => ({ id, attempt }), options)

const all = Uint8Array.from({ length: 1_000_000 }, (_, i) => i)

/** Also some that are only a part of what is in memory. */
export const BYTES: Record<string, () => unknown> = {
  whole: () => Uint8Array.of(1, 2, 3),
  pooled: () => Buffer.from([1, 2, 3]),
  'a slice': () => all.subarray(1, 4),
  'of a type': () => ({ type: 'image/png', bytes: all.subarray(1, 4) }),
}

export const bytes = defineTask('bytes', (kind: string) => BYTES[kind]!(), options)

const THROWN: Record<string, () => unknown> = {
  'an error': () => new TypeError('broken'),
  'a final one': () => new NonRetryableError('broken for good'),
  undefined: () => undefined,
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'an odd stack': () => Object.assign(new Error('odd'), { stack: () => {} }),
}

export const broken = defineTask('broken', (kind: string) => fail(THROWN[kind]!()), options)

/** Tells twice within one turn, and then throws or returns. */
export const tell = defineTask(
  'tell',
  (isBroken: boolean, context: TaskContext) => {
    context.progress(0.5, 'on the way')
    context.progress(1, 'last')
    if (isBroken) throw new Error('broken')
  },
  options,
)

export const speak = defineTask(
  'speak',
  (_: unknown, { log }: TaskContext) => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    log.info('first', { answer: 42, level: 'mine', message: 'mine' })
    log.error('odd', { cycle, call: () => {}, big: 1n, error: new Error('inside') })
    log.debug('not to be heard')
  },
  options,
)

export const leave = defineTask('leave', () => process.exit(3), options)

export const throwLater = defineTask(
  'throw-later',
  (isAwaited: boolean) => {
    setTimeout(() => fail(new Error('in a timer')), 1)
    return isAwaited ? new Promise(() => {}) : undefined
  },
  options,
)

/** Blocks for ever, and tells all the while. */
export const spin = defineTask(
  'spin',
  (_: unknown, context: TaskContext) => {
    for (;;) context.progress(0.5)
  },
  options,
)

/** Tells once, and then waits for a word on this channel. */
export const listen = defineTask(
  'listen',
  async (name: string, context: TaskContext) => {
    const channel = new BroadcastChannel(name)
    const heard = new Promise((resolve) => {
      channel.onmessage = resolve
    })
    context.progress(0.5)
    await heard
    channel.close()
    return 'heard'
  },
  options,
)

/** Leaves a timer behind, which throws when the next job may be running. */
export const litter = defineTask(
  'litter',
  (milliseconds: number) => {
    setTimeout(() => fail(new Error('too late')), milliseconds)
    return threadId
  },
  options,
)

/** Talks to whoever started the thread, in a way that is not ours. */
export const chatter = defineTask(
  'chatter',
  () => {
    for (const message of [null, 'text', { type: 'succeeded', result: '"forged"' }]) {
      parentPort!.postMessage(message)
    }
    return 'genuine'
  },
  options,
)

export const flood = defineTask(
  'flood',
  (lines: number, { log }: TaskContext) => {
    for (let i = 0; i < lines; i++) log.info('again')
  },
  options,
)

// Not among the types of Node.
const { Memory } = (globalThis as never as { WebAssembly: WebAssemblyPart }).WebAssembly
interface WebAssemblyPart {
  Memory: new (options: { initial: number }) => { buffer: ArrayBuffer }
}

/** Bytes that are not the function's own to give away, or that it could still change. */
export const odd = defineTask(
  'odd',
  (kind: string) => {
    if (kind === 'shared') return new Uint8Array(new SharedArrayBuffer(3))
    if (kind === 'wasm') return new Uint8Array(new Memory({ initial: 1 }).buffer)
    return new Uint8Array(Buffer.from('x').buffer)
  },
  options,
)

/** Fails where nobody catches it, though it has returned. */
export const float = defineTask(
  'float',
  (how: string) => {
    if (how === 'promise') void Promise.reject(new Error('nobody waits for me'))
    if (how === 'tick') process.nextTick(() => fail(new Error('a tick later')))
    if (how === 'timer') setTimeout(() => fail(new Error('a timer later')), 5).unref()
    return 'returned'
  },
  options,
)

/** Returns much, and then ends its thread. */
export const quit = defineTask(
  'quit',
  () => {
    process.nextTick(() => process.exit(0))
    return 'x'.repeat(3_000_000)
  },
  options,
)

export const idle = defineTask(
  'idle',
  async (ms: number, context: TaskContext) => {
    await context.sleep(ms)
    return 'innocent'
  },
  options,
)
