// A server is the same: while one request waits, the others go on.

import { json } from '../../lib/reply.ts'
import { createApp } from '../../server.ts'
import { print, settings } from '../lesson.ts'
import { greet } from './greet.ts'

const app = await createApp(settings(), {
  routes: {
    'GET /hello/:name/:seconds': async ({ params }) => {
      const name = await greet(params.name!, Number(params.seconds))
      return json(200, { hello: name })
    },
  },
})

print('three requests')
const paths = ['/hello/Ada/1', '/hello/Grace/2', '/hello/Linus/3']
const replies = await Promise.all(paths.map((path) => fetch(app.url + path)))
for (const reply of replies) print(`${reply.status} ${(await reply.text()).trim()}`)

await app.close()
