// The rooms that we are in, and the one that we look at.

import { reactive, watchEffect } from '/vue.js'
import { openRoom } from './room.js'

export const rooms = reactive([])
export const view = reactive({ room: null, isHidden: document.hidden })

export function open(name) {
  if (!rooms.some((room) => room.name === name)) rooms.push(openRoom(name))
  view.room = rooms.find((room) => room.name === name)
}

export function leave(room) {
  room.leave()
  rooms.splice(rooms.indexOf(room), 1)
  view.room = rooms[0]
}

open('lobby')
document.addEventListener('visibilitychange', () => {
  view.isHidden = document.hidden
})
// Runs again whenever something has changed that it reads.
watchEffect(() => {
  if (!view.isHidden) view.room.unread = 0
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
  document.title = unread > 0 ? `(${unread}) Chat` : 'Chat'
})
