// The chat: rooms on the left, the one that we look at beside them, notices below.

import { Composer } from './composer.js'
import { html } from './html.js'
import { Notices } from './notices.js'
import { Rooms } from './rooms.js'
import { session, user } from './session.js'
import { Talk } from './talk.js'
import { leave, rooms, view } from './view.js'

// The key makes `main` a new one for each room: it begins at its end, and one can type at once.
export const Chat = () => html`
  <${Rooms} />
  <main key=${view.room.name}>
    <header>
      <h1>${view.room.name}</h1>
      <p role="status">${user}, ${session.status}</p>
      ${rooms.length > 1 && html`<button onClick=${() => leave(view.room)}>Leave</button>`}
    </header>
    <${Talk} room=${view.room} />
    <${Composer} room=${view.room} />
  </main>
  <${Notices} />`
