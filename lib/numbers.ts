// Numbers out of a JSON body: each has a range, and what is outside is a 422 that points to it.

import { unprocessable } from './reply.ts'

export interface NumberField {
  readonly default: number
  readonly least: number
  readonly most: number
  readonly isWhole: boolean
}

/** The numbers of a JSON object, with the default for each that is not there. */
export function numbersOf<Name extends string>(
  body: Record<string, unknown>,
  fields: Readonly<Record<Name, NumberField>>,
): Record<Name, number> {
  const entries = Object.entries<NumberField>(fields).map(([name, field]) => {
    const value = Object.hasOwn(body, name) ? body[name] : field.default
    return [name, check(name, value, field)]
  })
  return Object.fromEntries(entries)
}

function check(name: string, value: unknown, { least, most, isWhole }: NumberField): number {
  const isNumber = typeof value === 'number' && value >= least && value <= most
  if (isNumber && (!isWhole || Number.isInteger(value))) return value
  const kind = isWhole ? 'a whole number' : 'a number'
  throw unprocessable(`/${name}`, `expected ${kind} from ${least} to ${most}`)
}
