// JSON from strangers. `JSON.parse` accepts what cannot be written again (8,000 levels) and turns
// 1e999 into Infinity, which is written as null: both are refused here, before anybody trusts them.

/** Deeper nesting is refused: far above any real document, far below the stack of `JSON.stringify`. */
export const MAX_DEPTH = 32

/** Thrown by `parseJson`. `pointer` (RFC 6901) is set when the text is JSON but a number is too big. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly pointer: string | undefined

  constructor(message: string, pointer?: string) {
    super(message)
    this.pointer = pointer
  }
}

export function parseJson(text: string): unknown {
  const value = parse(text)
  const tooBig = check(value, MAX_DEPTH)
  if (tooBig === undefined) return value
  throw new JsonError('expected a number that JSON can hold, got one beyond its range', tooBig)
}

/**
 * Writes a value of ours as JSON; undefined stays undefined. Throws a `TypeError`, or whatever a
 * `toJSON` throws, for what JSON can't hold: a cycle, a BigInt, a function.
 */
export function toJson(value: unknown): string | undefined {
  const text = JSON.stringify(value) as string | undefined
  if (text !== undefined || value === undefined) return text
  throw new TypeError(`expected a value that JSON can hold, got a ${typeof value}`)
}

/** Whether it is `{…}`: no array, no null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Its message quotes the text: a client's own words have no place in an answer or a log.
    throw new JsonError('expected JSON')
  }
}

// Returns the pointer to the first number that is not finite.
function check(value: unknown, levels: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return ''
  if (typeof value !== 'object' || value === null) return undefined
  if (levels === 0) throw new JsonError(`expected at most ${MAX_DEPTH} levels of nesting`)

  for (const [key, child] of Object.entries(value)) {
    const pointer = check(child, levels - 1)
    if (pointer !== undefined) return `/${escapePointer(key)}${pointer}`
  }
  return undefined
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
