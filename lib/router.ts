// The route table: which handler answers a method and a path, and what to say when none does.
// A path is matched segment by segment and decoded once, after it was split.

import { HttpError, type Reply } from './reply.ts'
import type { Request } from './request.ts'

export interface Handler {
  (request: Request): Reply | Promise<Reply>
  /** See `forAnyone`. */
  readonly isForAnyone?: boolean
}

/** Keys like `'GET /tasks/:id'`; the parameter is then `request.params.id`. */
export type Routes = Readonly<Record<string, Handler>>

interface Place {
  readonly path: string
  readonly segments: readonly string[]
  readonly handlers: Map<string, Handler>
}

export interface Match {
  /** As the table has it, for instance `GET /tasks/:id`. */
  readonly route: string
  readonly handler: Handler
  readonly params: Readonly<Record<string, string>>
}

/** Lets strangers in where a server asks for tokens: for a login, for instance. */
export function forAnyone(handler: Handler): Handler {
  return Object.assign((request: Request) => handler(request), { isForAnyone: true })
}

const ALL = 'GET, HEAD, POST, DELETE, OPTIONS' // what `OPTIONS *` is told

export class Router {
  readonly #places = new Map<string, Place>()
  readonly #fixed = new Map<string, ReadonlyMap<string, Match>>() // by path and method, as asked for

  constructor(routes: Routes) {
    for (const [key, handler] of Object.entries(routes)) {
      const [, method, path] = /^([A-Z]+) (\/.*)$/.exec(key) ?? []
      if (!method || !path) throw new TypeError(`a route must read like "GET /path", got "${key}"`)
      this.#place(path).handlers.set(method, handler)
    }
    for (const { path, handlers } of this.#places.values()) {
      if (path.includes('/:')) continue
      const matches = [...handlers].map(([method, handler]) => {
        return [method, { route: `${method} ${path}`, handler, params: {} }] as const
      })
      this.#fixed.set(path, new Map(matches))
    }
  }

  /** Throws a 400 for a path that is none, a 404 for an unknown one, a 405 for another method. */
  find(method: string, path: string): Match {
    const fixed = this.#fixed.get(path)?.get(method)
    if (fixed) return fixed
    if (method === 'OPTIONS' && path === '*')
      return { route: 'OPTIONS *', handler: options(ALL), params: {} }
    const segments = decode(path)
    const place = this.#match(path, segments)
    const handler = place.handlers.get(method)
    const route = `${method} ${place.path}`
    if (handler) return { route, handler, params: paramsOf(place, segments) }

    if (method === 'HEAD' && place.handlers.has('GET')) return this.find('GET', path)
    const allowed = [...place.handlers.keys()]
    if (allowed.includes('GET')) allowed.push('HEAD')
    const allow = [...allowed, 'OPTIONS'].join(', ')
    if (method === 'OPTIONS') return { route, handler: options(allow), params: {} }
    throw new HttpError(405, `expected ${allow}`, { headers: { allow } })
  }

  #place(path: string): Place {
    const place = this.#places.get(path) ?? { path, segments: split(path), handlers: new Map() }
    this.#places.set(path, place)
    return place
  }

  #match(path: string, segments: readonly string[]): Place {
    const exact = this.#places.get(path)
    if (exact) return exact
    for (const place of this.#places.values()) if (fits(place.segments, segments)) return place
    throw new HttpError(404, 'nothing is at this path')
  }
}

function options(allow: string): Handler {
  return () => ({ status: 204, headers: { allow }, body: '' })
}

// One slash at the end is the same place; `//` is not `/`.
function split(path: string): string[] {
  const segments = path.slice(1).split('/')
  if (segments.at(-1) === '') segments.pop()
  return segments
}

function decode(path: string): string[] {
  if (!path.startsWith('/')) throw new HttpError(400, 'expected a path that starts with /')
  try {
    return split(path).map(decodeURIComponent)
  } catch (cause) {
    throw new HttpError(400, 'the path is not percent-encoded UTF-8', { cause })
  }
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length !== segments.length) return false
  return pattern.every((part, i) =>
    part.startsWith(':') ? segments[i] !== '' : part === segments[i],
  )
}

function paramsOf({ segments: pattern }: Place, segments: readonly string[]): Match['params'] {
  const params: Record<string, string> = {}
  pattern.forEach((part, i) => {
    if (part.startsWith(':')) params[part.slice(1)] = segments[i]!
  })
  return params
}
