// What holds for tasks in one process, over Redis and BullMQ: the queue's own tests, and those of a whole
// server.

import { after } from 'node:test'
import { startRedis } from './brokers.ts'

const broker = await startRedis({ after })
process.env.TEST_TASKS_URL = broker.url
await import('../tasks.test.ts')
await import('../parts/runner.test.ts')
await import('../task-routes.test.ts')
await import('../task-feed.test.ts')
await import('../owners.test.ts')
await import('../demo.test.ts')
