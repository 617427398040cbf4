// Two servers. With nothing between them, who is on the one does not hear those on the other.

import { createApp } from '../../server.ts'
import { connect } from '../client.ts'
import { print, settings } from '../lesson.ts'
import { need } from './need.ts'

const { BUS_URL } = process.env // with it the two are one: see the text
const one = await createApp(settings({ BUS_URL }))
const two = await createApp(settings({ BUS_URL }))
need(one.hub.problem)
const ada = connect(one.url, 'ada')
const bob = connect(two.url, 'bob')
const room = `room:${crypto.randomUUID()}` // a new one: Redis would remember what was said last time

await new Promise<void>((done) => {
  bob.subscribe(room, {
    onStart: async () => {
      print('Ada, on the first server: "Hello, Bob!"')
      await ada.publish(room, 'Hello, Bob!')
      await bob.publish(room, 'Is nobody here?')
    },
    onMessage: ({ from, data }) => {
      print(`Bob, on the second, hears ${from}: "${data}"`)
      if (from === 'bob') done()
    },
  })
})
for (const client of [ada, bob]) client.close()
for (const app of [one, two]) await app.close()
