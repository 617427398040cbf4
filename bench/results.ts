// What the contests have shown, as Markdown: how it was measured, each target beside what came out, and
// a table for each contest. `RESULTS.md` has one part for each major version of Node; a run replaces
// that of its own.

import { readFile, writeFile } from 'node:fs/promises'
import { isPinned } from './child.ts'
import { type Contest, type Rounds, ratio } from './contest.ts'
import { show, spread } from './figures.ts'
import { machine } from './machine.ts'
import { type Results, targets } from './targets.ts'

const HEAD = `# Results

Written by \`npm run bench\`, one part for each major version of Node. Each server is a process of its own,
on a core of its own where the system has \`taskset\`; the load is other processes, on the other cores. The
contestants take turns (A B C A B C …), each round with a new process. A figure is the median of its
rounds, with the least and the most in brackets; a ratio is the median of the ratios within each round.

That the load is no bottleneck is checked by the column “% of its core”: where it is near 100, the server
was the limit. The load never sleeps meanwhile, so that no server has to wake it. What is not measured: a
network, TLS, a proxy, and handlers that do more than a few lines.

The peers have no logging, no validation beyond JSON and no limits that are not their defaults, and forget
their work when they have done it. meanwhile runs as it always does, with its limits, checks and headers;
only for HTTP it has more slots than by default, \`CONCURRENCY=256\`, for tasks that take no time.

Where a target is missed, “Where the time … goes” says why. A delivery is the kernel's: most of its time is
the one call that writes, which everybody makes for each follower, whatever the language. “writes” makes
that call and does nothing else, and so shows how far ahead of \`ws\` and FastAPI anybody can get; less it
becomes only where messages leave together (“ten messages under way”). An echo stands on \`ws\`, and can't
be ahead of it. An accepted request takes what it takes in bare \`node:http\`, with more in its reply, and
then a task: an id, a state, a log scope, a snapshot, figures, a place among those that are kept. These, the
checks and the headers are many small parts, and none stands out. \`node:http with AsyncLocalStorage\` is
what the scope of the log lines costs alone; on Node 20 each promise pays for it. With the journal, a task
is three records more, and the threads that write and sync share the server's core.

A task through \`TASKS_URL\` is BullMQ's job, for which Redis and Node do what they do without meanwhile, and
before it the question whether there is room, asked for all tasks of one turn together: an id of its own, a
place in the list, the bounds. With that Redis takes a fifth more for a task, and a job waits for two answers
instead of one.
`
const NOTE = 'A machine with other work on it moves all figures; the ratios move less.'

export function partOf(contests: readonly Contest[], results: Results): string {
  const date = new Date().toISOString().slice(0, 10)
  const pinned = isPinned ? 'each server on a core of its own' : 'nothing pinned to a core'
  return [
    `## Node ${process.versions.node}\n`,
    `${date}, ${machine()}, ${pinned}. ${NOTE}\n`,
    `### Targets\n`,
    ...rows(['Target', 'Aim', 'Measured', ''], targetRows(results)),
    ...contests.flatMap((contest) => tableOf(contest, results.get(contest.title)!)),
  ].join('\n')
}

/** Puts this part in the place of the one of the same major version of Node. */
export async function writeResults(file: string, part: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const parts = new Map(text.split(/^(?=## Node )/m).map((old) => [majorOf(old), old.trimEnd()]))
  parts.delete(0) // the head
  parts.set(majorOf(part), part.trimEnd())
  const sorted = [...parts].sort(([a], [b]) => a - b).map(([, old]) => old)
  await writeFile(file, `${[HEAD.trimEnd(), ...sorted].join('\n\n')}\n`)
}

function majorOf(part: string): number {
  return Number(/^## Node (\d+)/.exec(part)?.[1] ?? 0)
}

function targetRows(results: Results): string[][] {
  return targets.map(({ claim, least, most, measured }) => {
    const value = measured(results)
    const aim = least === undefined ? `≤ ${show(most!)}` : `≥ ${show(least)}`
    if (value === undefined) return [claim, aim, 'not measured here', '']
    const isReached = value >= (least ?? 0) && value <= (most ?? Number.POSITIVE_INFINITY)
    return [claim, aim, show(value), isReached ? 'reached' : '**missed**']
  })
}

export function tableOf(contest: Contest, figures: Rounds): string[] {
  const { title, about, rounds, beside = Object.keys(contest.contestants)[0]! } = contest
  const units = Object.keys([...figures.values()][0]![0]!)
  const columns = ['', ...units, `× ${beside}`]
  const body = [...figures].map(([name, all]) => [
    name,
    ...units.map((unit) => spread(all.map((round) => round[unit]!))),
    ratio(figures, name, beside)!.toFixed(2),
  ])
  const isAlone = figures.size === 1
  const trimmed = [columns, ...body].map((row) => (isAlone ? row.slice(0, -1) : row))
  return [
    `\n### ${title}\n`,
    `${about} ${rounds} rounds.\n`,
    ...rows(trimmed[0]!, trimmed.slice(1)),
  ]
}

function rows(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`)
}
