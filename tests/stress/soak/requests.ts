// Other requests: lists in pages, what there is to see, pictures drawn in threads, what is refused, and
// uploads that are cut in the middle.

import { once } from 'node:events'
import { request, TYPE } from '../../exchanges.ts'
import { connectTcp, type Json, jsonOf, post, statusOf } from '../../helpers.ts'
import type { Dice, World } from './world.ts'

const PAGES = 5
const PNG = Buffer.from('89504e47', 'hex')

const SEEN: [method: string, path: string, status: number][] = [
  ['GET', '/', 200],
  ['HEAD', '/app.js', 200],
  ['GET', '/client.js', 200],
  ['OPTIONS', '/tasks', 204],
  ['GET', '/healthz', 200],
  ['GET', '/readyz', 200],
  ['GET', '/metrics', 200],
  ['GET', '/ws', 426],
  ['GET', '/no-such-page', 404],
  ['PUT', '/tasks', 405],
  ['GET', '/tasks?limit=0', 422],
  ['GET', '/tasks/no-such-task/result', 404],
  ['DELETE', '/tasks/no-such-task', 404],
]

const REFUSED: [bytes: string, status: number][] = [
  ['what is no HTTP\r\n\r\n', 400],
  [request('GET /%zz HTTP/1.1'), 400],
  [request('POST /process HTTP/1.1', TYPE, 'Content-Length: 3', '', '{"a'), 400],
  [request('POST /process HTTP/1.1', TYPE, 'Content-Length: 99999999'), 413],
  [request('POST /process HTTP/1.1', 'Content-Type: text/plain', 'Content-Length: 2'), 415],
  [request('POST /process HTTP/1.1', 'Origin: https://evil.example'), 403],
  ['GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n', 421],
  [request('GET / HTTP/1.1', ...Array.from({ length: 200 }, (_, i) => `X${i}: 1`)), 431],
]

export async function requests(world: World): Promise<void> {
  const kinds: [pause: number, act: (world: World, dice: Dice) => Promise<void>][] = [
    [200, list],
    [50, look],
    [1_500, draw],
    [150, err],
    [300, breakOff],
  ]
  await Promise.all(
    kinds.map(([pause, act]) => {
      const dice = world.dice()
      return world.repeat(pause, dice, () => act(world, dice))
    }),
  )
}

/** Pages are newest first, and no task is in two of them. */
async function list({ url, expect, count }: World): Promise<void> {
  let after = ''
  const seen = new Set<string>()
  let last = '9'
  for (let page = 0; page < PAGES; page++) {
    const { tasks, next }: Json = await jsonOf(fetch(`${url}/tasks?limit=20${after}`))
    for (const { id, createdAt } of tasks) {
      expect(!seen.has(id), `${id} is listed twice`)
      expect(createdAt <= last, `${id} is listed behind an older one`)
      seen.add(id)
      last = createdAt
    }
    count('GET /tasks')
    if (next === null) return
    after = `&after=${next}`
  }
}

async function look({ url, expect, count }: World, dice: Dice): Promise<void> {
  const [method, path, status] = dice.oneOf(SEEN)
  const reply = await fetch(url + path, { method })
  await reply.arrayBuffer()
  expect(reply.status === status, `${method} ${path} was ${reply.status}`)
  count('other requests')
}

export async function draw({ url, expect, count }: World): Promise<void> {
  const { id } = await jsonOf(post(`${url}/render`, { width: 64, height: 48 }))
  for (;;) {
    const reply = await fetch(`${url}/tasks/${id}/result`)
    const bytes = Buffer.from(await reply.arrayBuffer())
    if (reply.status === 200) {
      expect(bytes.subarray(0, 4).equals(PNG), `the picture of ${id} is none`)
      return count('pictures')
    }
    if (reply.status !== 409) return expect(false, `the picture of ${id} was ${reply.status}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function err({ url, expect, count }: World, dice: Dice): Promise<void> {
  const [bytes, status] = dice.oneOf(REFUSED)
  const got = await statusOf(url, bytes)
  expect(got === status, `${bytes.slice(0, 40)} was ${got}, not ${status}`)
  count('refused')
}

async function breakOff({ url, count, pause }: World, dice: Dice): Promise<void> {
  const socket = connectTcp(url)
  await once(socket, 'connect')
  socket.write(request('POST /process HTTP/1.1', TYPE, 'Content-Length: 1000'))
  socket.write('{"half": "')
  await pause(dice.upTo(50))
  if (dice.percent(50)) socket.destroy()
  else socket.resetAndDestroy()
  count('uploads broken off')
}
