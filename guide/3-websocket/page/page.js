// The page of twenty lines: what is typed goes to the server, what comes back is shown.

const form = document.querySelector('form')
const list = document.querySelector('ul')
const socket = new WebSocket(`ws://${location.host}/ws`)

socket.onopen = () => show('connected')
socket.onmessage = ({ data }) => show(data)
socket.onclose = ({ code }) => show(`closed: ${code}`)
form.onsubmit = (event) => {
  event.preventDefault() // the page stays
  socket.send(form.text.value)
  form.reset()
}

function show(text) {
  const item = document.createElement('li')
  item.textContent = text // as text, never as HTML: it may come from anybody
  list.append(item)
}
