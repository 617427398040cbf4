// Who has no name yet is asked for one. An open server believes whatever it is told.

import { html } from './html.js'

export const Login = () => html`
  <form class="login">
    <h1>Chat</h1>
    <label>
      Your name
      <input name="user" pattern="[A-Za-z0-9_.@\\-]{1,64}" title="letters, digits and _ . @ -"
        required autofocus />
    </label>
    <button>Enter</button>
  </form>`
