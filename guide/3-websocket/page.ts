// A page of our own, in place of the demo: the files in `page/`, and the server's echo.

import { fileURLToPath } from 'node:url'
import { readSettings } from '../../lib/config.ts'
import { run } from '../../lib/process.ts'
import { createApp } from '../../server.ts'

const files = fileURLToPath(new URL('page/', import.meta.url))
const settings = readSettings({ LOG_LEVEL: 'error', ...process.env, JOURNAL: 'off' })
const app = await run(() => createApp(settings, { files }))
console.log(`open ${app.url} in a browser; Ctrl+C ends it`)
