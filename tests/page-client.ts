// The browser's client, static/client.js, in Node.

import { WebSocket } from 'ws'
import type { Json } from './helpers.ts'

export interface Listener {
  onMessage: (message: Json) => void
  onStart?: (start: Json) => void
  onPresence?: (change: Json) => void
  onError?: (error: Error) => void
}

export interface Client {
  subscribe(name: string, listener: Listener): () => void
  publish(topic: string, data: unknown, options?: object): Promise<number | undefined>
  close(): void
}

// A browser's WebSocket tells of an error, and does not throw it.
class QuietSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols)
    this.on('error', () => {})
  }
}

// Node 20 has none of its own.
if (!('WebSocket' in globalThis)) Object.assign(globalThis, { WebSocket: QuietSocket })

const module: { Client: new (url: string, options?: object) => Client } = await import(
  String(new URL('../static/client.js', import.meta.url))
)
export const { Client: PageClient } = module
