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

/** A promise that nobody has to wait for. The first outcome stays. */
export class Moment {
  settle!: (failure?: Error) => void
  isAwaited = false
  readonly #promise = new Promise<void>((resolve, reject) => {
    this.settle = (failure) => (failure ? reject(failure) : resolve())
  })

  constructor() {
    this.#promise.catch(() => {}) // a rejection is for those who wait
  }

  wait(): Promise<void> {
    this.isAwaited = true
    return this.#promise
  }
}
