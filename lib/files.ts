// Static files, read once at the start into routes: a request can only name what is in the table,
// never a path on disk. They are read synchronously: nobody waits yet, and it is ten times less work.

import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import type { Reply } from './reply.ts'
import type { Routes } from './router.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.gif': 'image/gif',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

// A page may load from this server only, and run no script that stands in the page itself.
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "img-src 'self' blob: data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * A GET route for each file in the folder and below it, `/` for its `index.html`. Files of unknown
 * types, hidden ones and links are left out. Throws if the folder can't be read.
 */
export function fileRoutes(folder: string): Routes {
  const routes: Record<string, () => Reply> = {}
  for (const path of filesBelow(folder)) {
    const reply = read(folder, path)
    routes[`GET /${path}`] = () => reply
    if (path === 'index.html') routes['GET /'] = () => reply
  }
  return routes
}

// Relative to the folder, with `/` on every system.
function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile() && extname(entry.name) in TYPES)
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .filter((path) => !path.split('/').some((part) => part.startsWith('.')))
}

function read(folder: string, path: string): Reply {
  const type = TYPES[extname(path)]!
  const headers: Record<string, string> = { 'content-type': type, 'cache-control': 'no-cache' }
  if (extname(path) === '.html') headers['content-security-policy'] = PAGE_POLICY
  return { status: 200, headers, body: readFileSync(join(folder, path)) }
}
