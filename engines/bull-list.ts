// A page of tasks: first those of this process, plain functions, then those of all servers. A page goes on
// at a number; those of this process begin far above any of the others.

import type { Tasks } from '../lib/queue.ts'
import type { ListOptions, Page } from '../lib/store.ts'
import type { BullStore } from './bull-store.ts'

const LOCAL = 2 ** 52

export async function listAll(local: Tasks, store: BullStore, options: ListOptions): Promise<Page> {
  const { after = Number.POSITIVE_INFINITY } = options
  const own = after < LOCAL ? { tasks: [], next: null } : await listLocal(local, options, after)
  if (own.next !== null) return own
  const limit = options.limit - own.tasks.length
  const shared = await store.ask(listShared(store, { ...options, limit }, Math.min(after, LOCAL)))
  return { tasks: [...own.tasks, ...shared.tasks], next: shared.next }
}

async function listLocal(local: Tasks, options: ListOptions, after: number): Promise<Page> {
  const { tasks, next } = await local.list({ ...options, after: after - LOCAL })
  return { tasks, next: next && String(LOCAL + Number(next)) }
}

async function listShared(store: BullStore, options: ListOptions, after: number): Promise<Page> {
  const { limit } = options
  const { found, next } = await store.page(options, after)
  const some = found.slice(0, limit)
  const tasks = await Promise.all(some.map(({ record }) => store.show(record)))
  if (found.length > limit) return { tasks, next: String(some.at(-1)?.number ?? after) }
  return { tasks, next: next > 0 ? String(next) : null }
}
