// What `add` is given, checked and put together: from here on it is trusted.

import { checkTaskOptions, type Definition, type TaskOptions, type Work } from './definition.ts'
import { digestOf } from './digest.ts'
import { toJson } from './json.ts'
import { type Kinds, policyOf } from './kinds.ts'
import { currentFields } from './log.ts'
import type { Plan, Run } from './run.ts'

/** Thrown by `add` for a key that stands for something else already. */
export class KeyReusedError extends Error {
  override readonly name = 'KeyReusedError'

  constructor() {
    super('the key was used for something else')
  }
}

export interface AddOptions extends TaskOptions {
  /** The task starts only when this is over, be it fulfilled or rejected. */
  readonly after?: Promise<unknown>
  /** One task at most has it. A second `add` with it gets that one, as long as it is known. */
  readonly key?: string
  /** What the key stands for; with another the key is refused. Default: the name and the payload. */
  readonly digest?: string
}

const NONE: AddOptions = {}

/** Throws a `TypeError` or a `RangeError` for a payload that is no JSON, or an option that is none. */
export function planOf<P>(
  kinds: Kinds<Run>,
  work: Definition<P> | Work<P>,
  payload: P,
  options: AddOptions = NONE,
): Plan {
  const asked = options === NONE ? undefined : optionsOf(options)
  const fields = currentFields()
  if (typeof work === 'function') {
    const kind = kinds.plain
    const policy = asked && policyOf(asked, kind.policy)
    const name = work.name.slice(0, 64) || 'anonymous'
    return { kind, name, isDefined: false, fields, work, input: payload, policy, key: options.key }
  }
  const kind = kinds.of(work)
  const policy = asked && policyOf(asked, kind.policy)
  const text = toJson(payload)
  const { name } = work
  const { key, digest = key === undefined ? undefined : digestOf(name, text) } = options
  return { kind, name, isDefined: true, fields, payload: text, policy, key, digest }
}

// Undefined if there are none but those of this one `add`.
function optionsOf(options: AddOptions): TaskOptions | undefined {
  const { after, key, digest, ...rest } = options
  if (Object.values(rest).every((value) => value === undefined)) return undefined
  checkTaskOptions(rest)
  return rest
}
