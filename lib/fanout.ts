// One to many. Each topic has an outbox, whose frames go out to all who follow the topic, to so many in
// one turn of the event loop, so that a message to thousands leaves it free for others. What came in
// meanwhile goes out together: one write for each follower, however many messages that is.
//
// One walk at a time for each outbox, in order. A follower gets the frames whose number is above its own
// `after`: what it had with its answer, or missed before it came, is not given to it again. These
// numbers are not the offsets that clients see: presence and transient frames have a number, too.

import { type Batch, batchOf, type Frame } from './frame.ts'

/** Whoever can be sent frames. */
export interface Follower {
  /** In the same turn another topic may have more for it: all of that should leave together. */
  deliver(batch: Batch, mayFollowMore: boolean): void
}

export interface Following {
  readonly follower: Follower
  /** The number of the last frame that is not for it. Infinity: it gets nothing yet. */
  after: number
}

const AT_ONCE = 500 // deliveries in one turn of the event loop: some 5 ms
const MAX_WAITING = 262_144 // bytes in one outbox; more, and it goes out without a pause

interface Numbered extends Frame {
  readonly number: number
}

export class Outbox {
  readonly followers = new Set<Following>()
  readonly #fanout: Fanout
  #last = 0
  #waiting: Numbered[] = []
  #bytes = 0 // of these
  #walk: Walk | undefined // under way

  constructor(fanout: Fanout) {
    this.#fanout = fanout
  }

  /** The number of the newest frame. */
  get last(): number {
    return this.#last
  }

  /** A number for a frame that is pushed later: who subscribes after this does not get it. */
  reserve(): number {
    return ++this.#last
  }

  push(frame: Frame, number: number = this.reserve()): void {
    if (this.followers.size === 0) return
    this.#waiting.push({ ...frame, number })
    this.#bytes += frame.bytes.length
    if (this.#bytes > MAX_WAITING) this.flush()
    else this.#fanout.add(this)
  }

  /** Sends all that waits, without a pause. */
  flush(): void {
    this.send(Number.POSITIVE_INFINITY)
  }

  /** Makes so many deliveries at most. Returns how many are left over; none: there may be more to do. */
  send(most: number, mayFollowMore = false): number {
    let left = most
    for (;;) {
      this.#walk ??= this.#begin()
      if (!this.#walk) return left
      // A set's iterator goes on where it was left, over those who have come, and not who have gone.
      for (const following of this.#walk.rest) {
        this.#walk.give(following, mayFollowMore)
        if (--left <= 0) return 0
      }
      this.#walk = undefined
    }
  }

  #begin(): Walk | undefined {
    if (this.#waiting.length === 0) return undefined
    const frames = this.#waiting
    this.#waiting = []
    this.#bytes = 0
    return new Walk(frames, this.followers.values())
  }
}

/** The way of some frames along all who follow. */
class Walk {
  readonly rest: IterableIterator<Following>
  readonly #frames: readonly Numbered[]
  readonly #batch: Batch
  readonly #first: number
  readonly #last: number

  constructor(frames: readonly Numbered[], rest: IterableIterator<Following>) {
    const numbers = frames.map(({ number }) => number)
    this.#frames = frames
    this.#batch = batchOf(frames)
    this.#first = Math.min(...numbers)
    this.#last = Math.max(...numbers)
    this.rest = rest
  }

  give({ follower, after }: Following, mayFollowMore: boolean): void {
    if (after < this.#first) follower.deliver(this.#batch, mayFollowMore)
    else if (after < this.#last) {
      const rest = this.#frames.filter(({ number }) => number > after)
      follower.deliver(batchOf(rest), mayFollowMore)
    }
  }
}

/** The outboxes that have something to send, in turn. */
export class Fanout {
  readonly #outboxes = new Set<Outbox>()
  #isScheduled = false

  add(outbox: Outbox): void {
    this.#outboxes.add(outbox)
    this.#schedule()
  }

  /** Sends all that waits, without a pause. */
  flush(): void {
    this.#send(Number.POSITIVE_INFINITY)
  }

  #schedule(): void {
    if (this.#isScheduled || this.#outboxes.size === 0) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#send(AT_ONCE)
      this.#schedule()
    })
  }

  #send(most: number): void {
    let left = most
    for (const outbox of this.#outboxes) {
      this.#outboxes.delete(outbox)
      left = outbox.send(left, this.#outboxes.size > 0)
      if (left > 0) continue
      this.#outboxes.add(outbox) // behind the others, whose turn is next
      return
    }
  }
}
