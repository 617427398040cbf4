// Exercise: Bob's server can't be reached any more. He goes on at another one, and has missed nothing.

import { createApp } from '../../server.ts'
import { startNetwork } from '../3-websocket/network.ts'
import { connect } from '../client.ts'
import { print, settings } from '../lesson.ts'
import { need } from './need.ts'

const { BUS_URL } = process.env
need(BUS_URL ? undefined : 'there is no BUS_URL')
const one = await createApp(settings({ BUS_URL }))
const two = await createApp(settings({ BUS_URL }))
need(one.hub.problem)
const network = await startNetwork(two.url) // in place of a load balancer
const ada = connect(one.url, 'ada')
const bob = connect(network.url, 'bob')
const room = `room:${crypto.randomUUID()}`

let starts = 0
await new Promise<void>((done) => {
  bob.subscribe(room, {
    onStart: ({ recovered }) => {
      if (++starts > 1) return print(`Bob is back. Is all there? ${recovered ? 'yes' : 'maybe'}`)
      print('Bob is here; now he loses his server')
      network.to = one.url // whoever connects from now on gets to the other one
      network.cut()
      void ada.publish(room, 'Bob, are you there?')
    },
    onMessage: ({ data }) => {
      print(`Bob hears: ${data}`)
      done()
    },
  })
})
for (const client of [ada, bob]) client.close()
network.close()
for (const app of [one, two]) await app.close()
