// Options are checked where they come in, then trusted.

/** Throws a `RangeError` unless the value is a whole number from `least` up. */
export function checkWhole(option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return
  throw new RangeError(`${option} must be a whole number from ${least} up, got ${value}`)
}
