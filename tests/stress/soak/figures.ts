// The server's own figures, which have to agree with what the soak has seen.

export class Figures {
  readonly #page: string

  constructor(page: string) {
    this.#page = page
  }

  static async of(url: string): Promise<Figures> {
    return new Figures(await (await fetch(`${url}/metrics`)).text())
  }

  /** Of one name, over all labels. */
  total(name: string): number {
    const lines = this.#page.matchAll(new RegExp(`^meanwhile_${name}(?:{.*})? (\\d+)$`, 'gm'))
    return [...lines].reduce((sum, [, value]) => sum + Number(value), 0)
  }

  /** Tasks that did not end, and requests that failed. */
  problems(): string[] {
    const [accepted, ended] = [this.total('tasks_accepted_total'), this.total('tasks_ended_total')]
    const failures = [...this.#page.matchAll(/^meanwhile_http_requests_total.*"500".*$/gm)].flat()
    return accepted === ended ? failures : [`${accepted} tasks began, ${ended} ended`, ...failures]
  }
}
