// Exercise: a doorkeeper, who greets everybody who enters the room, by name.

import { createApp } from '../../server.ts'
import { connect } from '../client.ts'
import { print, settings } from '../lesson.ts'

const app = await createApp(settings())

const doorkeeper = connect(app.url, 'doorkeeper')
const ada = connect(app.url, 'ada')
await new Promise<void>((done) => {
  doorkeeper.subscribe('room:ball', {
    onStart: () => void ada.subscribe('room:ball', { onMessage: hear }),
    onPresence: ({ joined }) => {
      const guests = joined.filter((name) => name !== 'doorkeeper')
      for (const name of guests) void doorkeeper.publish('room:ball', `Welcome, ${name}!`)
    },
    onMessage: () => {},
  })
  function hear({ from, data }: { from?: string; data: unknown }): void {
    print(`Ada hears ${from}: ${data}`)
    done()
  }
})
for (const client of [doorkeeper, ada]) client.close()
await app.close()
