// Waiting with a limit, or for whatever becomes of it.

/**
 * Whether the event came within so many milliseconds: also what came while the event loop was blocked
 * for longer, since the sockets are looked at once more. Rejects if the event does.
 */
export async function within(milliseconds: number, event: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => setImmediate(resolve, false), milliseconds)
  })
  try {
    return await Promise.race([event.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Calls the function when the event has come, or will not. */
export function whenOver(event: Promise<unknown>, then: () => void): void {
  event.then(then, then)
}
