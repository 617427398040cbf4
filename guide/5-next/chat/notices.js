// Notifications: whoever is mentioned with an @ is told, in whichever room they are.

import { reactive } from '/vue.js'
import { html } from './html.js'
import { client, user } from './session.js'

const MENTION = /@([\w.-]{1,64})/g
const SHOWN = 8_000 // milliseconds
const notices = reactive([])

export function hearNotices() {
  client.subscribe(`user:${user}`, {
    onMessage({ data }) {
      notices.push(data)
      setTimeout(() => notices.shift(), SHOWN)
    },
  })
}

/** For each of them a task of the server: it answers at once, and tells them behind the reply. */
export async function notifyMentioned(room, text) {
  for (const name of new Set([...text.matchAll(MENTION)].map(([, name]) => name))) {
    const reply = await fetch(`/notify/${name}?user=${encodeURIComponent(user)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: `${text} (in ${room})` }),
    })
    if (!reply.ok) throw new Error((await reply.json()).detail)
  }
}

export const Notices = () => html`
  <div class="notices" role="status">
    ${notices.map(({ from, message, task }) => html`<p key=${task}><b>${from}:</b> ${message}</p>`)}
  </div>`
