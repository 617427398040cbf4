// A worker: it takes no requests for tasks, it does those that others have accepted.

import { run } from '../../lib/process.ts'
import { createApp } from '../../server.ts'
import { settings } from '../lesson.ts'
import { long } from './long.ts'

const { TASKS_URL, LOCK_SECONDS } = process.env
const own = settings({ ROLE: 'worker', TASKS_URL, LOCK_SECONDS })
await run(() => createApp(own, { definitions: [long] }))
process.send?.('is ready')
