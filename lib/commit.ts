// One group commit of the journal: the records that are written together, and who waits for them.

export class Commit {
  readonly lines: string[] = []
  /** In the file, and safe if the process dies. */
  readonly written = new Moment()
  /** On the disk, and safe if the machine does. */
  readonly synced = new Moment()

  settle(failure: Error): void {
    this.written.settle(failure)
    this.synced.settle(failure)
  }
}

/** A promise that is made only for who waits, so that no rejection is left without an owner. */
class Moment {
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  #outcome: { failure: Error | undefined } | undefined

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      if (this.#outcome) this.settle()
    })
  }

  /** It has come, or will never. The first outcome stays. */
  settle(failure?: Error): void {
    this.#outcome ??= { failure }
    const error = this.#outcome.failure
    for (const { resolve, reject } of this.#waiting.splice(0)) error ? reject(error) : resolve()
  }
}
