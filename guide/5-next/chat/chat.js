// The chat: rooms on the left, the one that we look at beside them, notices on top.

import { reactive, watchEffect } from '/vue.js'
import { Composer } from './composer.js'
import { html } from './html.js'
import { hearNotices, Notices } from './notices.js'
import { openRoom } from './room.js'
import { Rooms } from './rooms.js'
import { session, user } from './session.js'
import { Talk } from './talk.js'

const rooms = reactive([])
const view = reactive({ room: null, isHidden: document.hidden })

function open(name) {
  if (!rooms.some((room) => room.name === name)) rooms.push(openRoom(name))
  view.room = rooms.find((room) => room.name === name)
}

// Runs again whenever something of what it reads has changed.
watchEffect(() => {
  if (view.room && !view.isHidden) view.room.unread = 0
  const unread = rooms.reduce((sum, room) => sum + room.unread, 0)
  document.title = unread > 0 ? `(${unread}) Chat` : 'Chat'
})
document.addEventListener('visibilitychange', () => {
  view.isHidden = document.hidden
})
hearNotices()
open('lobby')

export const Chat = () => html`
  <${Rooms} rooms=${rooms} current=${view.room} onOpen=${open} />
  <main key=${view.room.name}>
    <header><h1>${view.room.name}</h1> <p role="status">${user}, ${session.status}</p></header>
    <${Talk} room=${view.room} />
    <${Composer} room=${view.room} />
  </main>
  <${Notices} />`
