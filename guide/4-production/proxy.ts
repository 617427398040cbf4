// A proxy in front: to the server all clients have the proxy's address, unless it is told whom to trust.

import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'
import { knock } from './knock.ts'

for (const trusted of ['', '127.0.0.1']) {
  print(`TRUST_PROXY=${trusted}`)
  const app = await createApp(settings({ MAX_CONNECTIONS_PER_ADDRESS: '1', TRUST_PROXY: trusted }))
  for (const client of ['203.0.113.1', '203.0.113.2']) {
    const headers = { 'x-forwarded-for': client } // the proxy adds it
    print(`${client}: ${await knock(socketUrl(app.url), [], { headers })}`)
  }
  await app.close()
}
