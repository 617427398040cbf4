// Two servers behind nginx, as `engines/deploy/` has it: what clients notice of it, and what not.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import {
  connectSocket,
  freePorts,
  type Json,
  jsonOf,
  post,
  type ServerProcess,
  spawnServer,
  startApp,
  until,
} from '../helpers.ts'
import { PageClient } from '../page-client.ts'
import { startNginx, startRedis } from './brokers.ts'

async function startBehindNginx(t: TestContext, env: NodeJS.ProcessEnv = {}) {
  const broker = await startRedis(t)
  const { url: redis } = broker
  const behind = { BUS_URL: redis, TASKS_URL: redis, TRUST_PROXY: '127.0.0.1', ...env }
  const apps = [await startApp(t, behind), await startApp(t, behind)]
  return {
    apps,
    url: await startNginx(
      t,
      apps.map(({ url }) => Number(new URL(url).port)),
    ),
  }
}

test('requests, uploads and WebSockets go through, and pages of other origins do not', async (t) => {
  const { url } = await startBehindNginx(t)
  assert.match(await (await fetch(url)).text(), /<title>/)
  const { id } = await jsonOf(post(`${url}/process`, { a: 1 }))
  await until(async () => (await jsonOf(fetch(`${url}/tasks/${id}`))).state === 'succeeded')
  const echo = await connectSocket(t, url, { protocol: null, headers: { origin: url } })
  echo.send('hi')
  assert.equal(await echo.text(), 'You said: hi')
  const foreign = { headers: { origin: 'http://elsewhere.example' } }
  await assert.rejects(connectSocket(t, url, foreign), (status) => status === 403)
})

test('an address counts as what nginx has seen, whatever a client says', async (t) => {
  const { url, apps } = await startBehindNginx(t, { MAX_CONNECTIONS_PER_ADDRESS: '2' })
  const headers = (n: number) => ({ headers: { 'x-forwarded-for': `10.0.0.${n}` } })
  for (const n of [1, 2, 3, 4]) await connectSocket(t, url, headers(n)) // two on each
  await assert.rejects(connectSocket(t, url, headers(5)), (status) => status === 429)
  assert.equal(apps[0]!.hub.size + apps[1]!.hub.size, 4)
})

test('nginx itself lets an address have 50 sockets', async (t) => {
  const { url } = await startBehindNginx(t, { MAX_CONNECTIONS_PER_ADDRESS: '1000' })
  for (let n = 0; n < 50; n++) await connectSocket(t, url)
  await assert.rejects(connectSocket(t, url), (status) => status === 429)
})

for (const [history, what] of [
  ['10000', 'everybody hears each message once'],
  ['3', 'everybody hears each message once, or is told that some may be missing'],
] as const) {
  test(`in a chat over two servers, of which one is killed again and again, ${what}`, async (t) => {
    const broker = await startRedis(t)
    const ports = await freePorts(2)
    const env = { BUS_URL: broker.url, LOG_LEVEL: 'info', HISTORY: history }
    const start = (n: number) => spawnServer(t, { ...env, PORT: String(ports[n]) })
    const servers: ServerProcess[] = [await start(0), await start(1)]
    const url = await startNginx(t, ports)
    Object.assign(globalThis, { WebSocket: OwnAddress })
    const clients = [1, 2, 3, 4, 5, 6].map((n) => chat(t, url, n))
    await until(() => clients.every(({ starts }) => starts.length > 0))

    let isOver = false
    const talking = clients.map(async ({ client }, who) => {
      const offsets = []
      for (let n = 0; !isOver; n++) {
        offsets.push(await client.publish('room:a', `${who} ${n}`))
        await delay(20)
      }
      return offsets
    })
    for (let kills = 0; kills < 6; kills++) {
      const victim = kills % 2
      await delay(700)
      servers[victim]!.child.kill('SIGKILL')
      await servers[victim]!.exited
      servers[victim] = await start(victim)
    }
    isOver = true
    const offsets = (await Promise.all(talking)).flat()
    const last = Math.max(...offsets.map(Number))
    await until(() => clients.every(({ heard }) => heard.at(-1)?.offset === last))

    assert.equal(new Set(offsets).size, offsets.length) // each has one of its own
    assert.equal(last, offsets.length) // and no message is there twice
    for (const { heard, starts } of clients) {
      let next = heard[0]!.offset
      for (const { offset, isFresh } of heard) {
        assert.ok(offset === next || (isFresh && offset > next), `${offset} in place of ${next}`)
        next = offset + 1
      }
      const untold = starts.slice(1).filter(({ recovered }) => !recovered)
      if (history === '10000') assert.deepEqual(untold, [])
    }
    assert.ok(clients.some(({ starts }) => starts.length > 1))
  })
}

/** Comes from an address of its user's own, since nginx gives each address its server. */
class OwnAddress extends WebSocket {
  constructor(target: string, protocols: string[]) {
    const user = new URL(target).searchParams.get('user')
    super(target, protocols, { localAddress: `127.${user}.0.1` })
  }
}

function chat(t: TestContext, url: string, user: number) {
  const heard: Json[] = []
  const starts: Json[] = []
  let isFresh = false // behind a start that has not recovered
  const client = new PageClient(`${url.replace('http', 'ws')}/ws?user=${user}`)
  t.after(() => client.close())
  client.subscribe('room:a', {
    onStart: (start) => {
      starts.push(start)
      isFresh = !start.recovered
    },
    onMessage: (message) => {
      heard.push({ ...message, isFresh })
      isFresh = false
    },
  })
  return { client, heard, starts }
}
