// What `add` is given, checked and put together: from here on it is trusted.

import { checkTaskOptions, type Definition, type TaskOptions, type Work } from './definition.ts'
import { digestOf } from './digest.ts'
import { toJson } from './json.ts'
import { type Kind, type Kinds, type Policy, policyOf } from './kinds.ts'
import { currentFields } from './log.ts'
import { isName, NAME_RULE } from './names.ts'
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
  /** The user that it belongs to, a name. Default: nobody. */
  readonly owner?: string
  /** One task at most has it. A second `add` with it gets that one, as long as it is known. */
  readonly key?: string
  /** What the key stands for; with another the key is refused. Default: the name and the payload. */
  readonly digest?: string
}

export type RetryOptions = Pick<AddOptions, 'after' | 'key'>

/** Throws a `TypeError` or a `RangeError` for a payload that is no JSON, or an option that is none. */
export function planOf<P>(
  kinds: Kinds<Run>,
  work: Definition<P> | Work<P>,
  payload: P,
  options: AddOptions = {},
): Plan {
  const isFunction = typeof work === 'function'
  const kind = isFunction ? kinds.plain : kinds.of(work)
  const name = isFunction ? work.name.slice(0, 64) || 'anonymous' : work.name
  const text = isFunction ? undefined : toJson(payload)
  const { owner, key, digest = key === undefined ? undefined : digestOf(name, text) } = options
  if (owner !== undefined && !isName(owner)) {
    throw new TypeError(`owner must be ${NAME_RULE}, got "${owner}"`)
  }
  return {
    kind,
    name,
    owner,
    fields: currentFields(),
    policy: policyFor(kind, options),
    key,
    digest,
    payload: text,
    work: isFunction ? work : undefined,
    input: isFunction ? payload : undefined,
  }
}

// Undefined if it is that of its kind.
function policyFor({ policy }: Kind<Run>, options: AddOptions): Policy | undefined {
  const { attempts, backoff, timeout, delay, priority } = options
  if ((attempts ?? backoff ?? timeout ?? delay ?? priority) === undefined) return undefined
  const asked = policyOf(options, policy)
  checkTaskOptions(asked)
  return asked
}
