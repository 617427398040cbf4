// Where one types.

import { onMounted, ref } from '/vue.js'
import { html } from './html.js'
import { notifyMentioned } from './notices.js'

export const Composer = {
  props: ['room'],
  setup({ room }) {
    const input = ref(null)
    onMounted(() => input.value.focus())

    return () => html`
      <form class="composer" onSubmit=${send}>
        <input ref=${input} aria-label="Message" autocomplete="off" maxlength="2000"
          placeholder=${`Say something in ${room.name}`} value=${room.draft} onInput=${type} />
        <button>Send</button>
        <p role="alert">${room.problem}</p>
      </form>`

    function type({ target }) {
      room.draft = target.value
      room.typing.say()
    }

    async function send(event) {
      event.preventDefault()
      const text = room.draft.trim()
      if (text === '') return
      Object.assign(room, { draft: '', problem: '' })
      try {
        await room.outbox.send(text)
        await notifyMentioned(room.name, text)
      } catch ({ message }) {
        room.problem = message
      }
    }
  },
}
