// Figures for Prometheus, in its text format
// (https://prometheus.io/docs/instrumenting/exposition_formats/). Each part of the server makes its
// own here. A label may take only values that the code knows: one that a client can make up would
// grow without end.

import type { Reply } from './reply.ts'

type Labels = Readonly<Record<string, string>>
type Readings = number | readonly (readonly [Labels, number])[]

/** Only ever grows. */
export class Counter {
  value = 0

  add(amount = 1): void {
    this.value += amount
  }

  lines(name: string, labels: string): string[] {
    return [line(name, labels, this.value)]
  }
}

/** Counts durations by how long they were. */
export class Histogram {
  readonly #counts = new Array<number>(BUCKETS.length).fill(0)
  #count = 0
  #sum = 0

  observe(seconds: number): void {
    let at = 0
    while (at < BUCKETS.length && seconds > BUCKETS[at]!) at++
    if (at < BUCKETS.length) this.#counts[at]!++
    this.#count++
    this.#sum += seconds
  }

  lines(name: string, labels: string): string[] {
    let below = 0
    const buckets = BUCKETS.map((most, i) => {
      below += this.#counts[i]!
      return line(`${name}_bucket`, joined(labels, `le="${most}"`), below)
    })
    return [
      ...buckets,
      line(`${name}_bucket`, joined(labels, 'le="+Inf"'), this.#count),
      line(`${name}_sum`, labels, this.#sum),
      line(`${name}_count`, labels, this.#count),
    ]
  }
}

const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300] // seconds

/** The figures of one name, one for each combination of labels. */
export class Family<T extends Counter | Histogram> {
  readonly #make: () => T
  readonly #members = new Map<string, T>()

  constructor(make: () => T) {
    this.#make = make
  }

  of(labels: Labels = {}): T {
    const key = textOf(labels)
    const member = this.#members.get(key) ?? this.#make()
    this.#members.set(key, member)
    return member
  }

  lines(name: string): string[] {
    return [...this.#members].flatMap(([labels, member]) => member.lines(name, labels))
  }
}

interface Metric {
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly lines: (name: string) => string[]
  readonly family?: unknown
}

export class Metrics {
  readonly #all = new Map<string, Metric>()

  /** The same family for the same name. */
  counter(name: string, help: string): Family<Counter> {
    return this.#family('counter', name, help, () => new Counter())
  }

  histogram(name: string, help: string): Family<Histogram> {
    return this.#family('histogram', name, help, () => new Histogram())
  }

  /** Read when somebody asks. */
  gauge(name: string, help: string, read: () => Readings): void {
    const lines = (full: string) => {
      const readings = read()
      const all = typeof readings === 'number' ? ([[{}, readings]] as const) : readings
      return all.map(([labels, value]) => line(full, textOf(labels), value))
    }
    this.#all.set(`meanwhile_${name}`, { help, type: 'gauge', lines })
  }

  /** A counter or a gauge as it is now, over all labels. */
  total(name: string): number {
    const lines = this.#all.get(`meanwhile_${name}`)?.lines(name) ?? []
    return lines.reduce((sum, text) => sum + Number(text.slice(text.lastIndexOf(' '))), 0)
  }

  page(): Reply {
    const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }
    return { status: 200, headers, body: this.text() }
  }

  text(): string {
    const blocks = [...this.#all].map(([name, { help, type, lines }]) =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines(name)].join('\n'),
    )
    return `${blocks.join('\n')}\n`
  }

  #family<T extends Counter | Histogram>(
    type: Metric['type'],
    name: string,
    help: string,
    make: () => T,
  ): Family<T> {
    const full = `meanwhile_${name}`
    const known = this.#all.get(full)?.family
    if (known) return known as Family<T>
    const family = new Family(make)
    this.#all.set(full, { help, type, family, lines: () => family.lines(full) })
    return family
  }
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels && `{${labels}}`} ${value}`
}

function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escapeLabel)}"`)
    .join(',')
}

function escapeLabel(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}

function joined(labels: string, more: string): string {
  return labels ? `${labels},${more}` : more
}
