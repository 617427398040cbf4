// A rich chat in Vue, without a build step: the pages in `chat/`, and three modules from elsewhere.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readSettings } from '../../lib/config.ts'
import { run } from '../../lib/process.ts'
import type { Reply } from '../../lib/reply.ts'
import { createApp } from '../../server.ts'

/** A module of another package, under an address of ours: a page here may load from this server only. */
function serve(path: string): () => Reply {
  const headers = { 'content-type': 'text/javascript; charset=utf-8', 'cache-control': 'no-cache' }
  const body = readFileSync(new URL(path, import.meta.url))
  return () => ({ status: 200, headers, body })
}

const settings = readSettings({
  LOG_LEVEL: 'error',
  NOTIFY_SECONDS: '0',
  ...process.env,
  JOURNAL: 'off',
})
const app = await run(() =>
  createApp(settings, {
    files: fileURLToPath(new URL('chat/', import.meta.url)),
    routes: {
      'GET /client.js': serve('../../static/client.js'),
      'GET /htm.js': serve('../node_modules/htm/dist/htm.module.js'),
      // The one without the template compiler, which would need `eval`.
      'GET /vue.js': serve('../node_modules/vue/dist/vue.runtime.esm-browser.prod.js'),
    },
  }),
)
console.log(`open ${app.url} in two windows; Ctrl+C ends it`)
