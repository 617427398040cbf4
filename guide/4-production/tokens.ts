// Who gets in: with AUTH_SECRET only who has a token. Three ways to bring it to a WebSocket.

import { signJwt } from '../../lib/jwt.ts'
import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'
import { knock } from './knock.ts'

const secret = 'at least 32 bytes that nobody can guess'
const app = await createApp(settings({ AUTH_SECRET: secret }))
const url = socketUrl(app.url)
const token = signJwt({ sub: 'ada', exp: Date.now() / 1_000 + 3_600 }, secret)
const headers = { authorization: `Bearer ${token}` }

print(`no token: ${await knock(url, ['meanwhile.v1'])}`)
print(`header: ${await knock(url, ['meanwhile.v1'], { headers })}`)
print(`subprotocol: ${await knock(url, ['meanwhile.v1', `bearer.${token}`])}`)

const reply = await fetch(`${app.url}/ticket`, { method: 'POST', headers })
const { ticket } = (await reply.json()) as { ticket: string }
print(`ticket in the query: ${await knock(`${url}?ticket=${ticket}`, ['meanwhile.v1'])}`)
print(`the same ticket again: ${await knock(`${url}?ticket=${ticket}`, ['meanwhile.v1'])}`)
await app.close()
