// Wall-clock time as it is shown: ISO 8601 in UTC, with milliseconds. Durations are measured with
// `performance.now()` instead, which is never set back.

let millisecond = 0
let text = ''

/** Formatting costs ten times as much as looking, and much happens in one millisecond. */
export function timestamp(milliseconds: number = Date.now()): string {
  if (milliseconds !== millisecond) {
    millisecond = milliseconds
    text = new Date(milliseconds).toISOString()
  }
  return text
}
