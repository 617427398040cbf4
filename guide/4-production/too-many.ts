// A limit, and what one hears who meets it: an HTTP answer, instead of a server that is out of memory.

import { createApp } from '../../server.ts'
import { print, settings, socketUrl } from '../lesson.ts'
import { knock } from './knock.ts'

const app = await createApp(settings({ MAX_CONNECTIONS_PER_ADDRESS: '2' }))

for (const n of [1, 2, 3]) print(`socket ${n}: ${await knock(socketUrl(app.url))}`)

await app.close()
