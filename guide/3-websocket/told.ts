// The better way: to be told. One question, and an answer whenever there is something new.

import { connect } from '../client.ts'
import { post, print } from '../lesson.ts'
import { startNapServer } from './nap.ts'

const app = await startNapServer()

const { id } = await (await post(`${app.url}/nap`)).json()
const client = connect(app.url, 'ada')
let messages = 0
await new Promise<void>((done) => {
  client.subscribe(`task:${id}`, {
    onMessage: ({ data }) => {
      const { state } = data as { state: string }
      print(`message ${++messages}: ${state}`)
      if (state === 'succeeded') done()
    },
  })
})
client.close()
await app.close()
