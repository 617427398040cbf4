// A chat with rooms: who is there, what was said before, who is typing. What is said while the server
// is away waits under the log, and is sent when it is back.

import { addLine, byId, clock, element, foldable, messageOf, onSubmit, say } from '../dom.js'

const TYPING_EVERY = 2_000 // milliseconds between two hints
const TYPING_LASTS = 4_000 // milliseconds, after the last
const NAMED = 20 // members by name
const LOST = 'The connection was lost for a while: something may be missing here.'

/** @param {Session} session */
export function startChat(session) {
  const log = byId('chat-log')
  const text = byId('chat-text', HTMLInputElement)
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  const typing = new Map()
  /** @type {Set<string>} */
  const members = new Set()
  let room = ''
  let epoch = '' // of the room that is shown
  let leave = () => {}
  let hinted = Number.NEGATIVE_INFINITY

  onSubmit('chat-join', enter)
  onSubmit('chat-say', speak)
  text.oninput = () => {
    if (performance.now() - hinted < TYPING_EVERY) return
    hinted = performance.now()
    session.hint(`room:${room}`, { isTyping: true })
  }
  enter()

  function enter() {
    leave()
    room = byId('chat-room', HTMLInputElement).value
    say('chat-say-label', `Say in ${room}`)
    log.replaceChildren()
    for (const name of typing.keys()) stopTyping(name) // that was in the other room
    hinted = Number.NEGATIVE_INFINITY
    epoch = ''
    leave = session.subscribe(`room:${room}`, {
      onStart,
      onMessage,
      onPresence,
      onError: (error) => addLine(log, element('small', {}, `No way in: ${error.message}.`)),
    })
  }

  /** @param {import('../client.js').Start} start */
  function onStart(start) {
    members.clear()
    onPresence({ joined: start.members ?? [], left: [], count: start.count ?? 0 })
    if (start.recovered) return
    // What the room has kept comes now. If it was made anew, what is shown here is not in it.
    if (start.epoch === epoch) log.replaceChildren()
    if (epoch) addLine(log, element('small', {}, LOST))
    epoch = start.epoch
  }

  /** @param {import('../client.js').Message} message */
  function onMessage({ offset, from = 'the server', at, data }) {
    if (offset === undefined) return showTyping(from)
    stopTyping(from)
    const who = element('small', {}, `${clock(at)} ${from}: `)
    addLine(log, who, foldable(typeof data === 'string' ? data : JSON.stringify(data)))
  }

  /** @param {{ joined: string[], left: string[], count: number }} change */
  function onPresence({ joined, left, count }) {
    for (const name of joined) members.add(name)
    for (const name of left) {
      members.delete(name)
      stopTyping(name)
    }
    const names = [...members].slice(0, NAMED)
    const rest = count - names.length
    const list = names.join(', ') + (rest > 0 ? ` and ${rest} more` : '')
    say('chat-members', `${count} in ${room}: ${list}`)
  }

  async function speak() {
    const said = text.value
    const line = element('li', {}, element('small', {}, 'on its way: '), foldable(said))
    byId('chat-pending').append(line)
    text.value = ''
    hinted = Number.NEGATIVE_INFINITY
    try {
      await session.publish(`room:${room}`, said)
      line.remove()
    } catch (error) {
      line.replaceChildren(element('small', {}, `not sent (${messageOf(error)}): `), foldable(said))
    }
  }

  /** @param {string} name */
  function showTyping(name) {
    if (name === session.user) return
    clearTimeout(typing.get(name))
    typing.set(
      name,
      setTimeout(() => stopTyping(name), TYPING_LASTS),
    )
    sayWhoTypes()
  }

  /** @param {string} name */
  function stopTyping(name) {
    clearTimeout(typing.get(name))
    if (typing.delete(name)) sayWhoTypes()
  }

  function sayWhoTypes() {
    const names = [...typing.keys()].slice(0, 3).join(', ')
    const verb = typing.size > 1 ? 'are' : 'is'
    say('chat-typing', names && `${names} ${verb} typing …`)
  }
}
