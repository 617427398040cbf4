// Whether it stayed flat: the samples of the first third behind the warm-up against those of the last.

import type { Sample } from './server.ts'

const WARM_UP = 1 / 4 // of the samples: caches fill, code is compiled, rooms and tasks reach their bounds

/**
 * What may lie between the two. Memory: by chance the one third has more messages under way than the
 * other (a reader that does not read holds `MAX_UNSENT`), and keys of messages are known for five minutes,
 * so that in a short run they only grow, by some 300 bytes each. A leak of one object a request is far
 * above that in an hour, and that of a buffer within a minute.
 */
const MORE_MEMORY = { factor: 1.2, bytes: 12 * 1_048_576 }

/** Descriptors: as many as there happen to be connections more. */
const MORE_DESCRIPTORS = 40

/** What is wrong, if anything. */
export function growth(samples: readonly Sample[]): string[] {
  const warm = samples.slice(Math.ceil(samples.length * WARM_UP))
  const third = Math.floor(warm.length / 3)
  if (third < 1) return ['too short to tell whether it grows']
  const [first, last] = [warm.slice(0, third), warm.slice(-third)]
  const memory = [first, last].map((part) => median(part.map(({ used }) => used))) as [
    number,
    number,
  ]
  const descriptors = [first, last].map((part) =>
    median(part.map(({ descriptors = 0 }) => descriptors)),
  ) as [number, number]

  const problems: string[] = []
  if (memory[1] > memory[0] * MORE_MEMORY.factor + MORE_MEMORY.bytes) {
    problems.push(`memory grew from ${mebibytes(memory[0])} to ${mebibytes(memory[1])}`)
  }
  if (descriptors[1] > descriptors[0] + MORE_DESCRIPTORS) {
    problems.push(`descriptors grew from ${descriptors[0]} to ${descriptors[1]}`)
  }
  return problems
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
