// What a room shows: each message once, the newest last, and gaps where some may be missing.

import { reactive } from '/vue.js'

const KEPT = 500 // messages on the page

export function createMessages() {
  const shown = reactive([])
  let gaps = 0

  return { shown, add, addGap }

  // False for one that is shown already: after a gap all comes again that the room has kept.
  function add(message) {
    if (shown.some(({ key }) => key === message.key)) return false
    shown.push(message)
    if (shown.length > KEPT) shown.shift()
    return true
  }

  function addGap() {
    if (shown.length > 0) add({ key: `gap ${gaps++}`, isGap: true })
  }
}
