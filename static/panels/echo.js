// The echo: a second, plain WebSocket without a subprotocol, opened when it is first needed.

import { addLine, byId, duration, element, foldable, messageOf, onSubmit } from '../dom.js'

/** @param {Session} session @param {Lanes} lanes */
export function startEcho(session, lanes) {
  const log = byId('echo-log')
  /** Those that wait for their echo, oldest first. @type {((text?: string) => void)[]} */
  const waiting = []
  /** @type {Promise<WebSocket> | undefined} */
  let socket

  onSubmit('echo', async () => {
    const input = byId('echo-text', HTMLInputElement)
    const text = input.value
    input.value = ''
    try {
      socket ??= open()
      const opened = await socket
      const started = performance.now()
      const sent = lanes.call(lanes.act('Echo'), 'echo')
      lanes.tick(true)
      opened.send(text)
      const answer = await new Promise((resolve) => waiting.push(resolve))
      lanes.answered(sent, answer === undefined ? 0 : 200)
      const after = element('small', {}, ` after ${duration(performance.now() - started)}`)
      addLine(log, foldable(answer ?? 'No echo: the connection is gone.'), after)
    } catch (error) {
      socket = undefined
      addLine(log, `No connection: ${messageOf(error)}`)
    }
  })

  async function open() {
    const opened = new WebSocket(await session.echoUrl())
    opened.onmessage = ({ data }) => {
      lanes.tick(false)
      waiting.shift()?.(data)
    }
    opened.onclose = () => {
      socket = undefined
      for (const resolve of waiting.splice(0)) resolve()
    }
    await new Promise((resolve, reject) => {
      opened.onopen = resolve
      opened.onerror = () => reject(new Error('the server can’t be reached.'))
    })
    return opened
  }
}
