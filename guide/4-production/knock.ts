// Knocks at a server's door: how is a WebSocket answered?

import { type ClientOptions, WebSocket } from 'ws'

/** Resolves to `open`, and stays so, or to the HTTP status with which it is refused. */
export function knock(url: string, protocols: string[] = [], options: ClientOptions = {}) {
  const socket = new WebSocket(url, protocols, options)
  return new Promise<string>((done, failed) => {
    socket.on('open', () => done('open'))
    socket.on('error', failed)
    socket.on('unexpected-response', (request, reply) => {
      done(`${reply.statusCode} ${reply.statusMessage}`)
      request.destroy()
    })
  })
}
