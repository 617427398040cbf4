// Whose code a process is in: what V8's profiler sees of it for a while, put together by area. A call
// into the kernel to write is counted apart; what else has no name of its own counts for its caller.

import { type Profiler, Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Figures } from './figures.ts'

export interface Profile {
  /** Milliseconds for which it was looked at. */
  readonly milliseconds: number
  /** Milliseconds of these, but for those in which it had nothing to do. */
  readonly areas: Readonly<Record<Area, number>>
}

type Area = keyof typeof NOTHING

const NOTHING = { tasks: 0, 'own code': 0, 'Node’s': 0, writes: 0, garbage: 0, 'no JavaScript': 0 }
const INTERVAL = 200 // microseconds between two samples
const QUEUE = /\/(tasks|lib\/(scheduler|runner|attempt))\.ts$/
const WRITE = /^write(v|Buffer|Utf8String|Latin1String)$/

type Node = Profiler.ProfileNode

/** An answer to a question that children on Node know (see `child.ts`). */
export async function profile(milliseconds: number): Promise<Profile> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: INTERVAL })
  await session.post('Profiler.start')
  await sleep(milliseconds)
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  return {
    milliseconds: (profile.endTime - profile.startTime) / 1_000,
    areas: areasOf(profile),
  }
}

/** What one of so many a second costs, in µs: first in all, then by area. */
export function costs({ milliseconds, areas }: Profile, perSecond: number): Figures {
  const each = (time: number) => (time / milliseconds / perSecond) * 1e6
  const sum = Object.values(areas).reduce((all, time) => all + time, 0)
  const parts = Object.entries(areas).map(([area, time]) => [area, each(time)] as const)
  return { 'µs each': each(sum), ...Object.fromEntries(parts) }
}

function areasOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Profile['areas'] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<Node, Node>()
  for (const node of nodes) {
    for (const child of node.children ?? []) parents.set(byId.get(child)!, node)
  }
  const areas = { ...NOTHING }
  samples.forEach((id, i) => {
    const area = areaOf(byId.get(id), parents)
    if (area) areas[area] += timeDeltas[i]! / 1_000
  })
  return areas
}

// Undefined: it had nothing to do.
function areaOf(node: Node | undefined, parents: ReadonlyMap<Node, Node>): Area | undefined {
  const { functionName: name, url } = node?.callFrame ?? { functionName: '(program)', url: '' }
  if (name === '(idle)') return undefined
  if (name === '(garbage collector)') return 'garbage'
  for (let at = node; at; at = parents.get(at)) if (QUEUE.test(at.callFrame.url)) return 'tasks'
  if (url === '' && WRITE.test(name)) return 'writes'
  if (url.startsWith('node:')) return 'Node’s'
  if (url !== '') return 'own code'
  const caller = node && parents.get(node)
  return name.startsWith('(') || !caller ? 'no JavaScript' : areaOf(caller, parents)
}
