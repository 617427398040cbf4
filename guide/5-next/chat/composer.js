// Where one types.

import { ref } from '/vue.js'
import { html } from './html.js'
import { notifyMentioned } from './notices.js'

export const Composer = {
  props: ['room'],
  setup({ room }) {
    const text = ref('')
    const problem = ref('')

    return () => html`
      <form class="composer" onSubmit=${send}>
        <input aria-label="Message" autocomplete="off" maxlength="2000" autofocus
          placeholder=${`Say something in ${room.name}. @somebody notifies them`}
          value=${text.value} onInput=${type} required />
        <button>Send</button>
        <p role="alert">${problem.value}</p>
      </form>`

    function type({ target }) {
      text.value = target.value
      room.typing.say()
    }

    async function send(event) {
      event.preventDefault()
      const said = text.value.trim()
      text.value = problem.value = ''
      try {
        await room.say(said)
        await notifyMentioned(room.name, said)
      } catch (error) {
        problem.value = `“${said}”: ${error.message}`
      }
    }
  },
}
