// Wall-clock time as it is shown: ISO 8601 in UTC, with milliseconds. Durations are measured with
// `performance.now()` instead, which is never set back.

let millisecond = 0
let text = ''

/** Now. Formatting costs ten times as much as looking, and many tasks end in one millisecond. */
export function timestamp(): string {
  const now = Date.now()
  if (now !== millisecond) {
    millisecond = now
    text = new Date(now).toISOString()
  }
  return text
}
