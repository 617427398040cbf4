// What holds for one server, over RabbitMQ: the hub's own tests, and those of the page's client.

import { after } from 'node:test'
import { startRabbitMq } from './brokers.ts'

const broker = await startRabbitMq({ after })
process.env.TEST_BUS_URL = broker.url
await import('../ws.test.ts')
await import('../client.test.ts')
