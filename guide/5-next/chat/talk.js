// What was said; and who is about to say something.

import { onMounted, onUpdated, ref } from '/vue.js'
import { html } from './html.js'
import { Message } from './message.js'

const NEAR = 40 // pixels from the end: who reads further up is not pulled down by each message

export const Talk = {
  props: ['room'],
  setup({ room }) {
    const list = ref(null)
    let isAtEnd = true
    const look = ({ target: { scrollHeight, scrollTop, clientHeight } }) => {
      isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR
    }
    const follow = () => {
      if (isAtEnd) list.value.scrollTop = list.value.scrollHeight
    }
    onMounted(follow)
    onUpdated(follow)

    return () => html`
      <div class="talk" ref=${list} onScroll=${look} role="log" tabindex="0" aria-label="Messages">
        ${room.messages.shown.map((message) => html`<${Message} ...${message} />`)}
        ${[...room.outbox.waiting].map(
          ([number, text]) => html`
          <article class="own" key=${number}><p>${text}</p> <small>on its way</small></article>`,
        )}
      </div>
      <p class="typing">${sayWho([...room.typing.names])}</p>`
  },
}

function sayWho(names) {
  if (names.length === 0) return ''
  return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} typing …`
}
