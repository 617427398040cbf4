// What a function threw, made safe to keep and to show. Anything can be thrown: `undefined`, an
// object whose `message` getter throws, an Error with a message of 10 MB.

export interface Failure {
  readonly name: string
  readonly message: string
}

/** `instanceof` that cannot throw: a proxy runs code of its own for it, and a revoked one throws. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

/** What keeps the tasks does not answer. Nobody can know whether what was asked for is done. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError'
}

const MAX_NAME_BYTES = 64
const MAX_STACK_BYTES = 8_192
const MAX_MESSAGE_BYTES = 896 // of UTF-8; with the name under 1 KB

export function describeError(error: unknown): Failure {
  const isError = isA(error, Error)
  return {
    name: cut(
      read(() => (isError ? error.name : typeof error)),
      MAX_NAME_BYTES,
    ),
    message: cut(
      read(() => (isError ? error.message : error)),
      MAX_MESSAGE_BYTES,
    ),
  }
}

/** Where it was thrown, for the log. */
export function stackOf(error: unknown): string {
  return isA(error, Error)
    ? cut(
        read(() => error.stack),
        MAX_STACK_BYTES,
      )
    : ''
}

function read(get: () => unknown): string {
  try {
    return String(get())
  } catch {
    return 'unreadable'
  }
}

/** The longest beginning of the text that fits into so many bytes of UTF-8. */
export function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text.slice(0, bytes))
  if (encoded.length <= bytes) return text.slice(0, bytes)
  // A character at the end that was cut through is dropped, since `stream` waits for its rest.
  return new TextDecoder().decode(encoded.subarray(0, bytes), { stream: true })
}
