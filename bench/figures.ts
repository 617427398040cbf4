// How the benchmarks tell what they have measured in several rounds: the median and, in brackets, the
// least and the most.

import { availableParallelism, cpus } from 'node:os'

/** Of one round, by their unit. */
export type Figures = Readonly<Record<string, number>>

export const machine = `Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}`

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

export function show(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 })
}

export function spread(values: readonly number[], unit: string): string {
  const range = `${show(Math.min(...values))}–${show(Math.max(...values))}`
  return `${show(median(values))} ${unit} (${range})`
}

export function summary(all: readonly Figures[]): string {
  const units = Object.keys(all[0]!)
  return units
    .map((unit) =>
      spread(
        all.map((figures) => figures[unit]!),
        unit,
      ),
    )
    .join(', ')
}
