// Who we are, and the connection. Whatever is `reactive` is shown anew by Vue when it changes.

import { Client } from '/client.js'
import { reactive } from '/vue.js'

export const user = new URLSearchParams(location.search).get('user') ?? ''
export const session = reactive({ status: 'connecting' })

const address = new URL(`/ws?user=${encodeURIComponent(user)}`, location.href)
address.protocol = address.protocol.replace('http', 'ws')

export const client = new Client(address, {
  onStatus(status) {
    session.status = status
  },
})
