// The smallest client there can be: no subprotocol, no reconnect; what is sent comes back.

const form = /** @type {HTMLFormElement} */ (document.querySelector('#form'))
const input = /** @type {HTMLInputElement} */ (document.querySelector('#text'))
const log = /** @type {HTMLElement} */ (document.querySelector('#log'))
const socket = new WebSocket(new URL('/ws', location.href.replace(/^http/, 'ws')))

socket.onopen = () => show('connected')
socket.onmessage = ({ data }) => show(data)
socket.onclose = ({ code }) => show(`disconnected (${code})`)
form.onsubmit = (event) => {
  event.preventDefault()
  if (socket.readyState !== WebSocket.OPEN) return show('not connected: reload the page')
  socket.send(input.value)
  form.reset()
}

/** @param {string} text */
function show(text) {
  log.append(Object.assign(document.createElement('li'), { textContent: text }))
}
