// Knocks at a server's door: how is a WebSocket answered?

import { type ClientOptions, WebSocket } from 'ws'

/** Resolves to `open`, or to the HTTP status with which it is refused. */
export function knock(url: string, protocols: string[] = [], options: ClientOptions = {}) {
  const socket = new WebSocket(url.replace('http', 'ws'), protocols, options)
  return new Promise<string>((done) => {
    socket.on('open', () => done('open'))
    socket.on('unexpected-response', (_request, reply) => {
      done(`${reply.statusCode} ${reply.statusMessage}`)
    })
  })
}
