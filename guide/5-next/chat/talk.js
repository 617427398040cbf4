// What was said, the newest last and in sight; and who is about to say something.

import { nextTick, ref, watch } from '/vue.js'
import { html } from './html.js'
import { user } from './session.js'

const timeOf = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })

const Message = ({ from, at, text }) => html`
  <li class=${from === user ? 'own' : ''}>
    <b>${from}</b> <time datetime=${at}>${timeOf(at)}</time>
    <p>${text}</p>
  </li>`
Message.props = ['from', 'at', 'text']

export const Talk = {
  props: ['room'],
  setup({ room }) {
    const list = ref(null)
    const scroll = () => list.value?.lastElementChild?.scrollIntoView({ block: 'end' })
    watch([() => room.messages, room.pending], () => nextTick(scroll), { immediate: true })

    return () => html`
      ${room.mayMiss && html`<p class="gap">You were away, and something may be missing.</p>`}
      <ol ref=${list} class="talk" aria-live="polite">
        ${room.messages.map((message) => html`<${Message} key=${message.offset} ...${message} />`)}
        ${room.pending.map((text) => html`<li class="own pending"><p>${text}</p> on its way</li>`)}
      </ol>
      <p class="typing">${sayWho([...room.typing.names])}</p>`
  },
}

function sayWho(names) {
  if (names.length === 0) return ''
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing …`
}
