// JSON from strangers. `JSON.parse` accepts what cannot be written again (8,000 levels) and turns
// 1e999 into Infinity, which is written as null: both are refused here, before anybody trusts them.

/** Deeper nesting is refused: far above any real document, far below the stack of `JSON.stringify`. */
export const MAX_DEPTH = 32

/** Thrown for JSON that is refused. `pointer` (RFC 6901) is set when it is for one number in it. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly pointer: string | undefined

  constructor(message: string, pointer?: string) {
    super(message)
    this.pointer = pointer
  }
}

/** Throws a `JsonError` for what is no JSON, or what `checkJson` refuses. */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Its message quotes the text: a client's own words have no place in an answer or a log.
    throw new JsonError('expected JSON')
  }
  checkJson(value)
  return value
}

/** Throws a `JsonError` for what was parsed and could not be written again as it was. */
export function checkJson(value: unknown): void {
  const pointer = findInfinite(value, MAX_DEPTH)
  if (pointer === undefined) return
  throw new JsonError('expected a number that JSON can hold, got one beyond its range', pointer)
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

// Returns the pointer to the first number that is not finite.
function findInfinite(value: unknown, levels: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return ''
  if (typeof value !== 'object' || value === null) return undefined
  if (levels === 0) throw new JsonError(`expected at most ${MAX_DEPTH} levels of nesting`)

  if (Array.isArray(value)) {
    // By index: a text for each key would cost more than to parse them did.
    for (let i = 0; i < value.length; i++) {
      const pointer = findInfinite(value[i], levels - 1)
      if (pointer !== undefined) return `/${i}${pointer}`
    }
    return undefined
  }
  const object = value as Record<string, unknown>
  for (const key of Object.keys(object)) {
    const pointer = findInfinite(object[key], levels - 1)
    if (pointer !== undefined) return `/${escapePointer(key)}${pointer}`
  }
  return undefined
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
