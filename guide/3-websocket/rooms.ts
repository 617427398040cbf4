// Rooms: whoever follows one hears what is said there, and who comes and goes.

import { createApp } from '../../server.ts'
import { connect } from '../client.ts'
import { print, settings } from '../lesson.ts'

const app = await createApp(settings())
const [ada, bob] = [connect(app.url, 'ada'), connect(app.url, 'bob')]

await new Promise<void>((done) => {
  ada.subscribe('room:kitchen', {
    onStart: ({ members }) => {
      print(`Ada enters the kitchen: ${members?.join(', ')} is there`)
      bob.subscribe('room:kitchen', { onMessage: () => {} })
    },
    onPresence: ({ joined, left }) => {
      for (const name of joined) if (name === 'bob') void bob.publish('room:kitchen', 'Tea?')
      for (const name of left) print(`${name} has left`)
      if (left.includes('bob')) done()
    },
    onMessage: ({ from, data }) => {
      print(`${from}: ${data}`)
      bob.close() // a client that leaves: the room notices by itself
    },
  })
})
ada.close()
await app.close()
