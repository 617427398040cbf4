// Who is typing. We say so at most once a second; who has not said so for three seconds has stopped.

import { reactive } from '/vue.js'
import { client, user } from './session.js'

const SAID_EVERY = 1_000 // milliseconds
const LASTS = 3_000 // milliseconds

export function createTyping(topic) {
  const names = reactive(new Set())
  const timers = new Map()
  let said = -SAID_EVERY // when we said it last

  return { names, hear, stop, say }

  function hear(name) {
    if (name === user) return
    stop(name)
    names.add(name)
    const timer = setTimeout(() => stop(name), LASTS)
    timers.set(name, timer)
  }

  function stop(name) {
    if (name === user) said = -SAID_EVERY // what we type next is news
    clearTimeout(timers.get(name))
    timers.delete(name)
    names.delete(name)
  }

  // Transient: nobody wants to know tomorrow that somebody was typing today.
  function say() {
    if (performance.now() - said < SAID_EVERY) return
    said = performance.now()
    client.publish(topic, { typing: true }, { transient: true }).catch(() => {}) // nor to be told of it
  }
}
