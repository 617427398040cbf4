// What a server says of itself: to a load balancer, and to Prometheus.

import { createApp } from '../../server.ts'
import { post, print, settings } from '../lesson.ts'

const app = await createApp(settings({ WORK_SECONDS: '0', WORK_FILE: '/dev/null' }))
for (let n = 0; n < 10; n++) await post(`${app.url}/process`, { n })
await app.tasks.idle()

for (const path of ['/healthz', '/readyz']) {
  const reply = await fetch(app.url + path)
  print(`${path}: ${reply.status} ${(await reply.text()).trim()}`)
}
const figures = await (await fetch(`${app.url}/metrics`)).text()
const wanted = /^meanwhile_(tasks_(accepted|ended)|http_requests)_total.* [1-9]\d*$/gm
for (const [line] of figures.matchAll(wanted)) print(line)
await app.close()
