// Bob loses his connection. When he is back he gets what he has missed, or hears that he can't.

import { createApp } from '../../server.ts'
import { connect } from '../client.ts'
import { print, settings } from '../lesson.ts'
import { startNetwork } from './network.ts'

const app = await createApp(settings())
const network = await startNetwork(app.url)
const ada = connect(app.url, 'ada')
const bob = connect(network.url, 'bob') // his network breaks

let starts = 0
await new Promise<void>((done) => {
  bob.subscribe('room:street', {
    // At each connection: the first one, and whenever the client has come back by itself.
    onStart: ({ recovered }) => {
      if (++starts === 1) void ada.publish('room:street', 'Hello, Bob!')
      else print(`Bob is back. Has he got all that he missed? ${recovered ? 'yes' : 'maybe not'}`)
    },
    onMessage: ({ data }) => {
      print(`Bob hears: ${data}`)
      if (starts > 1) return done()
      network.cut()
      void ada.publish('room:street', 'Bob, the house is on fire!')
    },
  })
})
for (const client of [ada, bob]) client.close()
network.close()
await app.close()
