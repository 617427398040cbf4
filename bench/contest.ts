// A contest: the same thing measured of several contestants, in turn, for several rounds (A B C A B C),
// so that what else the machine does meets all of them.

import { type Figures, median } from './figures.ts'

export interface Contest {
  readonly title: string
  /** What is done, and what the figures mean: in one or two sentences, for the results. */
  readonly about: string
  readonly rounds: number
  /** The contestant with which all are compared. Default: the first. */
  readonly beside?: string
  /** Each takes the figures of one round. The first figure is the one that counts. */
  readonly contestants: Readonly<Record<string, () => Promise<Figures>>>
}

/** Of one contest: by contestant, round by round. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>

export async function hold({ title, rounds, contestants }: Contest): Promise<Rounds> {
  const all = new Map(Object.keys(contestants).map((name) => [name, [] as Figures[]]))
  for (let round = 1; round <= rounds; round++) {
    for (const [name, measure] of Object.entries(contestants)) {
      process.stderr.write(`${title}, ${round} of ${rounds}: ${name}\n`)
      all.get(name)!.push(await measure())
    }
  }
  return all
}

/** One contestant beside another, by their first figure: the median of the ratios of each round. */
export function ratio(rounds: Rounds, own: string, peer: string): number | undefined {
  const [ours, theirs] = [rounds.get(own), rounds.get(peer)]
  if (!ours || !theirs) return undefined
  return median(ours.map((figures, round) => firstOf(figures) / firstOf(theirs[round]!)))
}

export function firstOf(figures: Figures): number {
  return Object.values(figures)[0]!
}
