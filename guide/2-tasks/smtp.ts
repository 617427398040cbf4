// An SMTP server that is too busy the first time, as real ones are ("greylisting" is even a custom).

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { print } from '../lesson.ts'

export async function startMailServer() {
  let asked = 0
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true, // it asks nobody on the network
    disabledCommands: ['STARTTLS'], // it has no certificate
    onMailFrom(_address, _session, done) {
      if (asked++ > 0) return done()
      print('mail server: not now')
      done(Object.assign(new Error('try again later'), { responseCode: 451 }))
    },
    onData(stream, { envelope }, done) {
      const [to] = envelope.rcptTo
      stream.resume().on('end', () => {
        print(`mail server: got one for ${to?.address}`)
        done()
      })
    },
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  return { port, close: () => server.close() }
}
