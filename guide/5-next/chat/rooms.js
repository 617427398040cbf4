// On the left: the rooms that we are in, with what we have not read, and who is in the one we look at.

import { html } from './html.js'

export const Rooms = ({ rooms, current, onOpen }) => html`
  <nav aria-label="Rooms">
    <h2>Rooms</h2>
    <ul>
      ${rooms.map(
        (room) => html`
        <li key=${room.name}>
          <button aria-current=${room === current} onClick=${() => onOpen(room.name)}>
            ${room.name} ${room.unread > 0 && html`<b>${room.unread} new</b>`}
          </button>
        </li>`,
      )}
    </ul>
    <form onSubmit=${(event) => enter(event, onOpen)}>
      <input name="room" aria-label="Another room" placeholder="another room" autocomplete="off"
        pattern="[A-Za-z0-9_.@\\-]{1,64}" title="letters, digits and _ . @ -" required />
      <button>Enter</button>
    </form>
    <h2>${current.members.length} here</h2>
    <ul class="members">
      ${current.members.map((name) => html`<li key=${name}>${name}</li>`)}
    </ul>
  </nav>`
Rooms.props = ['rooms', 'current', 'onOpen']

function enter(event, onOpen) {
  event.preventDefault()
  onOpen(event.target.room.value)
  event.target.reset()
}
