// Exercise: a token is good for two seconds only. Ada stays, and needs to log in but once.

import { signJwt } from '../../lib/jwt.ts'
import { createApp } from '../../server.ts'
import { Client } from '../client.ts'
import { print, settings, socketUrl } from '../lesson.ts'

const secret = 'at least 32 bytes that nobody can guess'
const app = await createApp(settings({ AUTH_SECRET: secret }))

let connected = 0
await new Promise<void>((done) => {
  const ada = new Client(socketUrl(app.url), {
    // Asked at each connection. A page would fetch it, from a route that knows who has logged in.
    token: () => signJwt({ sub: 'ada', exp: Date.now() / 1_000 + 2 }, secret),
    onStatus(status, _delay, reason) {
      if (reason) print(reason)
      if (status !== 'connected') return
      print(`connected ${++connected}`)
      if (connected < 3) return
      ada.close()
      done()
    },
  })
})
await app.close()
