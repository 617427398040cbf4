// One room: what was said, what of ours is still on its way, who is there.

import { reactive } from '/vue.js'
import { client, user } from './session.js'
import { createTyping } from './typing.js'

const KEPT = 500 // messages on the page

export function openRoom(name) {
  const topic = `room:${name}`
  const typing = createTyping(topic)
  const room = reactive({ name, typing, say, messages: [], pending: [], members: [], unread: 0 })
  client.subscribe(topic, { onStart, onPresence, onMessage })
  return room

  // Resolves when the server has it. Without a connection it waits for one, and arrives once.
  async function say(text) {
    room.pending.push(text)
    await client.publish(topic, { text }).finally(() => room.pending.shift())
  }

  function onStart({ recovered, members }) {
    room.members = members
    if (recovered) return // what was missed follows
    Object.assign(room, { mayMiss: room.messages.length > 0, messages: [] }) // all that is kept follows
  }

  function onPresence({ joined, left }) {
    room.members = [...new Set([...room.members, ...joined])].filter((one) => !left.includes(one))
  }

  function onMessage({ offset, from, at, data }) {
    if (data?.typing) return typing.hear(from)
    if (typeof data?.text !== 'string') return // anybody may send anything
    typing.stop(from)
    room.messages = [...room.messages, { offset, from, at, text: data.text }].slice(-KEPT)
    if (from !== user) room.unread++
  }
}
