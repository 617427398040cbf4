// One message, or a gap between two.

import { html } from './html.js'
import { user } from './session.js'

const timeOf = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })

export const Message = ({ isGap, from, at, text }) =>
  isGap
    ? html`<p class="gap">You were away, and something may be missing here.</p>`
    : html`
      <article class=${from === user ? 'own' : ''}>
        <b>${from}</b> <time datetime=${at}>${timeOf(at)}</time>
        <p>${text}</p>
      </article>`
Message.props = ['isGap', 'from', 'at', 'text']
