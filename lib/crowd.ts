// A set that can be waited for: tasks that have not ended, replies under way, open sockets.

export class Crowd<T> extends Set<T> {
  #waiting: (() => void)[] = []

  /** Resolves when nobody is in it, which may be at once. */
  async whenEmpty(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  override delete(member: T): boolean {
    const wasIn = super.delete(member)
    if (this.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
    return wasIn
  }
}
