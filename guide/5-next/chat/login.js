// Who has no name yet is asked for one. An open server believes whatever it is told.

import { html } from './html.js'
import { NAME, NAME_RULE } from './name.js'

export const Login = () => html`
  <form class="login">
    <h1>Chat</h1>
    <label>
      Your name
      <input name="user" pattern=${NAME} title=${NAME_RULE} required autofocus />
    </label>
    <button>Enter</button>
  </form>`
