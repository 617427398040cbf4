// The rooms that we are in, with what we have not read, and who is in the one we look at.

import { html } from './html.js'
import { NAME, NAME_RULE } from './name.js'
import { open, rooms, view } from './view.js'

export const Rooms = () => html`
  <nav aria-label="Rooms">
    <h2>Rooms</h2>
    <ul>
      ${rooms.map(
        (room) => html`
        <li key=${room.name}>
          <button aria-current=${room === view.room} onClick=${() => open(room.name)}>
            ${room.name} ${room.unread > 0 && html`<b>${room.unread} new</b>`}
          </button>
        </li>`,
      )}
    </ul>
    <form onSubmit=${enter}>
      <input name="room" aria-label="Another room" placeholder="another room" autocomplete="off"
        pattern=${NAME} title=${NAME_RULE} required />
      <button>Enter</button>
    </form>
    <h2>${view.room.count} here</h2>
    <ul class="members">
      ${view.room.members.map((name) => html`<li key=${name}>${name}</li>`)}
    </ul>
  </nav>`

function enter(event) {
  event.preventDefault()
  open(event.target.room.value)
  event.target.reset()
}
