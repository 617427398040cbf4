// A page of tasks: first those of this process, plain functions, then those of all servers. A page goes on
// at a number; those of this process begin far above any of the others.

import type { Tasks } from '../lib/queue.ts'
import type { ListOptions, Page } from '../lib/store.ts'
import type { TaskStore } from './bull-store.ts'

const LOCAL = 2 ** 52

export async function listAll(local: Tasks, store: TaskStore, options: ListOptions): Promise<Page> {
  const { limit, after = Number.POSITIVE_INFINITY } = options
  const own = await listLocal(local, options)
  if (own.next !== null) return own
  const rest = limit - own.tasks.length
  const below = Math.min(after, LOCAL)
  const found = await store.ask(store.page({ ...options, limit: rest, after: below }))
  const shown = found.slice(0, rest).map(({ record }) => store.show(record))
  const tasks = [...own.tasks, ...(await store.ask(Promise.all(shown)))]
  const last = rest === 0 ? LOCAL : found[rest - 1]?.number
  return { tasks, next: found.length > rest ? String(last) : null }
}

async function listLocal(local: Tasks, options: ListOptions): Promise<Page> {
  const { after = Number.POSITIVE_INFINITY } = options
  if (after < LOCAL) return { tasks: [], next: null }
  const { tasks, next } = await local.list({ ...options, after: after - LOCAL })
  return { tasks, next: next && String(LOCAL + Number(next)) }
}
