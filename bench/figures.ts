// What the benchmarks say of a thing that they have measured in several rounds: the median and, in
// brackets, the least and the most.

import { availableParallelism, cpus } from 'node:os'

export const machine = `Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model}`

/** Of one round, by their unit. */
export type Figures = Readonly<Record<string, number>>

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The least value that so great a part of all (0 to 1) does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!
}

export function show(value: number): string {
  const digits = Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}

/** `51,800 (49,200–52,300)` */
export function spread(values: readonly number[]): string {
  return `${show(median(values))} (${show(Math.min(...values))}–${show(Math.max(...values))})`
}

export function summary(all: readonly Figures[]): string {
  const units = Object.keys(all[0]!)
  return units.map((unit) => `${spread(all.map((figures) => figures[unit]!))} ${unit}`).join(', ')
}
