// Notifications: a request for a user, answered at once; the message comes to all of their windows
// some seconds later, over the socket.

import { addLine, byId, clock, element, foldable, onSubmit, say, setText } from '../dom.js'

/** Usually so. @typedef {{ from?: string, message?: unknown }} Sent */

/** @param {Session} session @param {Lanes} lanes */
export function startNotifications(session, lanes) {
  const other = session.user === 'bob' ? 'alice' : 'bob'
  const link = byId('second-window', HTMLAnchorElement)
  if (session.isOpen) {
    link.href = `?user=${other}`
    setText(link, `Open a second window as ${other}`)
  }
  byId('notify-user', HTMLInputElement).value = session.user

  onSubmit('notify', async () => {
    const user = byId('notify-user', HTMLInputElement).value
    const text = byId('notify-text', HTMLInputElement)
    const body = text.value === '' ? '{}' : JSON.stringify({ message: text.value })
    const action = lanes.act(`Notification for ${user}`)
    const options = { body, makesTask: true }
    const { isOk, problem } = await session.call(action, 'POST', `/notify/${user}`, options)
    say('notify-answer', isOk ? `Accepted. ${user} hears it soon.` : problem)
    if (isOk) text.value = ''
  })

  session.subscribe(`user:${session.user}`, {
    onMessage({ data, at }) {
      const { from = 'the server', message = data } = /** @type {Sent} */ (data ?? {})
      const text = typeof message === 'string' ? message : JSON.stringify(message)
      const who = element('small', {}, `${clock(at)} from ${from}: `)
      addLine(byId('notifications'), who, foldable(text))
    },
  })
}
