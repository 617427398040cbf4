// What we have said in a room, and the server has not confirmed yet.

import { reactive } from '/vue.js'
import { client } from './session.js'

export function createOutbox(topic) {
  const waiting = reactive(new Map()) // texts by their numbers
  let next = 0

  return { waiting, send }

  // Without a connection it waits for one, and arrives once. Rejects if the server refuses it.
  async function send(text) {
    const number = next++
    waiting.set(number, text)
    try {
      await client.publish(topic, { text })
    } catch ({ message }) {
      throw new Error(`“${text}” is not sent: ${message}`)
    } finally {
      waiting.delete(number)
    }
  }
}
