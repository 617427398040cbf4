// What holds for one server, over Redis: the hub's own tests, and those of the page's client.

import { after } from 'node:test'
import { startRedis } from './brokers.ts'

const broker = await startRedis({ after })
process.env.TEST_BUS_URL = broker.url
await import('../ws.test.ts')
await import('../client.test.ts')
