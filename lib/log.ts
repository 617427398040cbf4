// The log: one JSON object a line on stdout, readable lines on a terminal.
// `withFields` gives every line that is written inside it the same fields (the request's id, the
// task's), also after an `await`: AsyncLocalStorage carries them.

import { AsyncLocalStorage } from 'node:async_hooks'
import { timestamp } from './clock.ts'
import { cut, describeError } from './errors.ts'

export type Fields = Readonly<Record<string, unknown>>
export type Level = (typeof LEVELS)[number]
type Write = (message: string, fields?: Fields) => void

export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  readonly error: Write
}

/** From the most to the fewest lines. */
export const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const MAX_TEXT = 8_192 // bytes of one string
const MAX_FIELD = 16_384 // bytes of one field
const MAX_UNREAD = 4 * 1_048_576 // bytes that wait for whoever reads the log

const scope = new AsyncLocalStorage<Fields>()
const NONE: Fields = {}

/** Runs a function whose log lines, and those of all that it starts, carry these fields. */
export function withFields<T>(fields: Fields, run: () => T): T {
  return scope.run(fields, run)
}

/** The fields that a log line written here would carry. */
export function currentFields(): Fields {
  return scope.getStore() ?? NONE
}

export function createLog(
  threshold: Level,
  write: (line: string) => void = writeOut,
  format: (entry: Fields) => string = formatOut(),
): Log {
  const writer = (level: Level): Write => {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(threshold)) return () => {}
    return (message, fields) => {
      const time = timestamp()
      const entry = { time, level, message }
      // Twice: first in order, and not to be replaced by a field of the same name.
      write(`${format(Object.assign({ ...entry }, scope.getStore(), fields, entry))}\n`)
    }
  }
  return {
    debug: writer('debug'),
    info: writer('info'),
    warn: writer('warn'),
    error: writer('error'),
  }
}

let dropped = 0 // lines

// If nobody reads the log, lines are left out, and counted for when somebody does again.
function writeOut(line: string): void {
  const { stdout } = process
  if (stdout.writableLength > MAX_UNREAD) {
    dropped++
    return
  }
  if (dropped > 0) {
    const message = 'log lines were dropped, since nobody read them'
    const entry = { time: timestamp(), level: 'warn', message, count: dropped }
    stdout.write(`${formatOut()(entry)}\n`)
    dropped = 0
  }
  stdout.write(line)
}

function formatOut(): typeof compact {
  return process.stdout.isTTY ? readable : compact
}

/** One line of JSON. Written field by field, so that one that can't be written costs only itself. */
export function compact(entry: Fields): string {
  const fields = present(entry).map(([key, value]) => `${stringify(key)}:${stringify(value)}`)
  return `{${fields.join(',')}}`
}

/** The same for the eye: `12:00:01 info  listening url="http://…"`. */
export function readable({ time, level, message, ...fields }: Fields): string {
  const rest = present(fields).map(([key, value]) => ` ${printable(key)}=${stringify(value)}`)
  return `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${printable(String(message))}${rest.join('')}`
}

function present(fields: Fields): [key: string, value: unknown][] {
  return Object.entries(fields).filter(([, value]) => value !== undefined)
}

function stringify(value: unknown): string {
  try {
    const text = JSON.stringify(value, show) ?? 'null'
    return printable(text.length > MAX_FIELD ? JSON.stringify(cut(text, MAX_FIELD)) : text)
  } catch {
    return '"unreadable"' // a cycle, a BigInt, a `toJSON` that throws: a task may log anything
  }
}

// Bounded: an error may carry 10 MB of text, and a task may log what a client sent.
function show(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return cut(value, MAX_TEXT)
  return value instanceof Error ? { ...describeError(value), stack: value.stack } : value
}

// What can end a line or steer a terminal, beyond what JSON escapes by itself.
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
