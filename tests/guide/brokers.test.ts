// The programs of the guide that need Redis or RabbitMQ: with one of the tests' own in the place of that
// which the page says to start.

import { after } from 'node:test'
import { startRabbitMq, startRedis } from '../engines/brokers.ts'
import { commands } from './lessons.ts'
import { testProgram } from './program.ts'

const brokers = new Map([
  ['redis://127.0.0.1:6379', await startRedis({ after })],
  ['amqp://127.0.0.1:5672', await startRabbitMq({ after })],
])

for (const command of commands) {
  const entries = Object.entries(command.env)
  const env = entries.map(([name, written]) => [name, brokers.get(written!)!.url])
  if (env.length > 0) testProgram(command, Object.fromEntries(env))
}
