// `static/client.js` is made for browsers: with a WebSocket it runs in Node as well, which the lessons
// need to be several people at once. Node 22 has one, Node 20 gets that of `ws`.

import { WebSocket } from 'ws'
import { Client } from '../static/client.js'
import { socketUrl } from './lesson.ts'

if (!('WebSocket' in globalThis)) Object.assign(globalThis, { WebSocket })

/** Connects somebody to the server at this URL. */
export function connect(url: string, user: string): Client {
  return new Client(`${socketUrl(url)}?user=${user}`)
}

export { Client }
