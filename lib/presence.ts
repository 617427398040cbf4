// Who is in a room: one entry a user, however many tabs. Joins and leaves are told in batches, so that
// a thousand who come at once are ten messages and not a thousand.

import type { PresenceChange } from './protocol.ts'
import { Tally } from './tally.ts'

const INTERVAL = 100 // milliseconds between two batches
const MAX_NAMES = 100 // in one batch, or in one answer

export class Presence {
  readonly #connections = new Tally() // by user
  readonly #tell: (change: PresenceChange) => void
  /** What was not told yet: whether the user is there. */
  readonly #changes = new Map<string, boolean>()
  /** Whether an answer has shown these changes already: then one that is undone is told as well. */
  #wasSeen = false
  #timer: NodeJS.Timeout | undefined

  constructor(tell: (change: PresenceChange) => void) {
    this.#tell = tell
  }

  /** Who is there: 100 names at most, and how many users in all. */
  get present(): { members: string[]; count: number } {
    this.#wasSeen = this.#changes.size > 0
    const members: string[] = []
    for (const user of this.#connections.keys()) {
      if (members.push(user) === MAX_NAMES) break
    }
    return { members, count: this.#connections.size }
  }

  /** Whether it is the user's first connection. */
  join(user: string): boolean {
    this.#connections.add(user)
    const isFirst = this.#connections.of(user) === 1
    if (isFirst) this.#change(user, true)
    return isFirst
  }

  /** Whether it was the user's last connection. */
  leave(user: string): boolean {
    this.#connections.remove(user)
    const isLast = this.#connections.of(user) === 0
    if (isLast) this.#change(user, false)
    return isLast
  }

  /** Forgets what was not told: nobody is there to hear it. */
  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#changes.clear()
    this.#wasSeen = false
  }

  #change(user: string, isThere: boolean): void {
    // Who was away for a moment only, unnoticed by all, was not away.
    if (this.#changes.get(user) === !isThere && !this.#wasSeen) this.#changes.delete(user)
    else this.#changes.set(user, isThere)
    this.#timer ??= setTimeout(() => this.#tellSome(), INTERVAL)
  }

  #tellSome(): void {
    const some = [...this.#changes].slice(0, MAX_NAMES)
    const usersOf = (isThere: boolean) =>
      some.filter(([, is]) => is === isThere).map(([user]) => user)
    for (const [user] of some) this.#changes.delete(user)
    this.#wasSeen &&= this.#changes.size > 0
    this.#timer = this.#changes.size > 0 ? setTimeout(() => this.#tellSome(), INTERVAL) : undefined
    if (some.length === 0) return
    this.#tell({ joined: usersOf(true), left: usersOf(false), count: this.#connections.size })
  }
}
