// What the task queue costs, beside two queues that keep no track of their tasks. Each figure is taken
// in a process of its own, `tasks-figures.ts`, on the server's core.

import { join } from 'node:path'
import { Child, node } from './child.ts'
import type { Contest } from './contest.ts'
import type { Figures } from './figures.ts'

const PROGRAM = join(import.meta.dirname, 'tasks-figures.ts')
const SIZES = [10, 100, 1_000, 10_000, 100_000]

export const contests: readonly Contest[] = [
  {
    title: 'An empty task',
    about:
      'An async function that does nothing, 100,000 times: all are added at once, 8 run at a time. ' +
      'meanwhile gives each an id, a state, a place in the list of finished ones, a log scope and a ' +
      'snapshot, without the journal; the others only run it.',
    rounds: 5,
    beside: 'fastq',
    contestants: {
      meanwhile: () => measure('own'),
      fastq: () => measure('fastq'),
      'p-queue': () => measure('pQueue'),
    },
  },
  {
    title: 'An empty task, by how many wait',
    about: 'So many are added at once, and again when all have run. Flat is linear.',
    rounds: 3,
    contestants: Object.fromEntries(
      SIZES.map((size) => [size.toLocaleString('en'), () => measure('growth', String(size))]),
    ),
  },
  {
    title: 'An empty task that is on disk before it is acknowledged',
    about:
      '200 producers each wait until their task is synced before they add the next. Every task is ' +
      'three records: added, begun, ended.',
    rounds: 3,
    contestants: { meanwhile: () => measure('acknowledged') },
  },
  {
    title: 'The same by one producer alone',
    about: 'How long until the disk has it: this is the disk more than it is the queue.',
    rounds: 3,
    contestants: { meanwhile: () => measure('alone') },
  },
  {
    title: 'Start with a journal of 100,000 records',
    about: 'From opening the file until the queue has all its tasks back.',
    rounds: 3,
    contestants: { meanwhile: () => measure('replay') },
  },
  {
    title: 'A finished task that is kept',
    about: 'What it takes of the heap, measured with 100,000 of them.',
    rounds: 3,
    contestants: { meanwhile: () => measure('kept') },
  },
  {
    title: 'What a million tasks leave behind',
    about: 'On the heap in all, when 1,000 are kept: after a million tasks more than before them.',
    rounds: 3,
    contestants: { meanwhile: () => measure('left') },
  },
]

async function measure(...args: readonly string[]): Promise<Figures> {
  const child = new Child('server core', [...node, PROGRAM, ...args])
  try {
    return await child.answer<Figures>()
  } finally {
    await child.end()
  }
}
