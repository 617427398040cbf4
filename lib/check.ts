// Bounds are checked where they come in; the rest of the code trusts them.

/** Throws a `RangeError` that names the option. */
export function checkWhole(
  name: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value)) checkNumber(name, value, least, most)
  else throw new RangeError(`${name} must be a whole number, got ${value}`)
}

/** The same for a number that need not be whole. */
export function checkNumber(name: string, value: number, least: number, most: number): void {
  if (typeof value === 'number' && value >= least && value <= most) return
  throw new RangeError(`${name} must be a number from ${least} to ${most}, got ${value}`)
}

/** Milliseconds, 24.8 days: beyond, `setTimeout` fires at once. */
export const MAX_TIMER = 2_147_483_647
