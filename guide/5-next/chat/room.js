// One room: what was said, who is there, and what the server has against it.

import { reactive } from '/vue.js'
import { createMessages } from './messages.js'
import { createOutbox } from './outbox.js'
import { client, user } from './session.js'
import { createTyping } from './typing.js'

export function openRoom(name) {
  const topic = `room:${name}`
  const [messages, outbox, typing] = [createMessages(), createOutbox(topic), createTyping(topic)]
  const room = reactive({ name, messages, outbox, typing, draft: '', problem: '', unread: 0 })
  Object.assign(room, { epoch: '', members: [], count: 0 })
  const onError = ({ message }) => Object.assign(room, { problem: message })
  room.leave = client.subscribe(topic, { onStart, onPresence, onMessage, onError })
  return room

  // At each connection. Then come the messages since the last one, or all that the room has kept.
  function onStart({ epoch, recovered, members, count }) {
    Object.assign(room, { epoch, members, count })
    if (!recovered) messages.addGap()
  }

  function onPresence({ joined, left, count }) {
    const members = new Set([...room.members, ...joined])
    for (const one of left) members.delete(one)
    Object.assign(room, { members: [...members], count }) // 100 names at most, of so many
  }

  function onMessage({ offset, from, at, data }) {
    if (data?.typing) return typing.hear(from)
    if (typeof data?.text !== 'string') return // anybody may send anything
    typing.stop(from)
    const isNew = messages.add({ key: `${room.epoch} ${offset}`, from, at, text: data.text })
    if (isNew && from !== user) room.unread++
  }
}
