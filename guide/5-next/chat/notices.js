// Notifications: whoever is mentioned with an @ is told, in whichever room they are.

import { reactive } from '/vue.js'
import { html } from './html.js'
import { client, user } from './session.js'

const MENTION = /(?<![\w.@-])@([\w.-]{0,63}\w)/g // no e-mail address, and not the full stop behind it
const MOST = 10 // in one message
const SHOWN = 8_000 // milliseconds
const notices = reactive([])

client.subscribe(`user:${user}`, {
  onMessage({ data }) {
    notices.push(data)
    setTimeout(() => notices.shift(), SHOWN)
  },
})

/** For each of them a task of the server: it answers at once, and tells them after the reply. */
export async function notifyMentioned(room, text) {
  const names = new Set([...text.matchAll(MENTION)].map(([, name]) => name))
  for (const name of [...names].slice(0, MOST)) {
    const reply = await fetch(`/notify/${name}?user=${encodeURIComponent(user)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: `${text} (in ${room})` }),
    })
    if (!reply.ok) throw new Error(`@${name} is not notified: ${(await reply.json()).detail}`)
  }
}

export const Notices = () => html`
  <div class="notices" role="status">
    ${notices.map(({ from, message, task }) => html`<p key=${task}><b>${from}:</b> ${message}</p>`)}
  </div>`
