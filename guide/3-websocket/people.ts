// The people of `cursors.ts`: a process that connects many clients, moves them, and counts.

import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../client.ts'

const [, , url, people, seconds] = process.argv
let sent = 0
let received = 0

const clients = Array.from({ length: Number(people) }, (_, n) => connect(url!, `person-${n}`))
await Promise.all(
  clients.map(
    (client) =>
      new Promise<void>((done) => {
        client.subscribe('room:table', { onStart: () => done(), onMessage: () => received++ })
      }),
  ),
)
process.send!('ready')

const end = performance.now() + Number(seconds) * 1_000
while (performance.now() < end) {
  for (const client of clients) {
    void client.publish('room:table', { x: Math.random(), y: Math.random() }, { transient: true })
    sent++
  }
  await sleep(1_000 / 15)
}
process.send!({ sent, received })
for (const client of clients) client.close()
process.disconnect!()
