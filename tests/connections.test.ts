import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Connections } from '../lib/connections.ts'
import { until } from './helpers.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** A server with so many connections at most, which answers when the test does. */
async function start(t: TestContext, most: number) {
  const replies: ServerResponse[] = []
  let arrived = 0
  const server = createServer({ keepAliveTimeout: 60_000 }, async (req, res) => {
    if ((await connections.begin(req, res)) ?? true) replies.push(res)
  })
  const connections = new Connections(server, most)
  server.on('connection', () => arrived++)
  server.on('upgrade', (_req, socket) => {
    connections.upgrade(socket)
    socket.on('error', () => {}).write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo

  /** A connection that the server has, with these bytes. Its `closed` comes when it is gone. */
  const open = async (bytes = '') => {
    const before = arrived
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes)).on('error', () => {})
    t.after(() => socket.destroy())
    await until(() => arrived > before)
    return socket
  }
  const ask = async (): Promise<[Socket, ServerResponse]> => {
    const before = replies.length
    const socket = await open(REQUEST)
    await until(() => replies.length > before)
    return [socket, replies.at(-1)!]
  }
  return { open, ask, connections, replies }
}

/** Which of them are closed, when one is. */
async function firstClosed(...sockets: Socket[]): Promise<number[]> {
  for (const socket of sockets) socket.resume()
  await until(() => sockets.some(({ closed }) => closed))
  return sockets.flatMap(({ closed }, i) => (closed ? i : []))
}

test('of those that say nothing the first makes room for a newcomer', async (t) => {
  const { open } = await start(t, 3)
  const sockets = [await open(), await open(), await open()]
  sockets.push(await open())
  assert.deepEqual(await firstClosed(...sockets), [0])
  sockets.push(await open())
  assert.deepEqual(await firstClosed(...sockets.slice(1)), [0])
})

test('who is answered is quiet from then on, behind those who were before', async (t) => {
  const { open, ask } = await start(t, 2)
  const [asker, reply] = await ask()
  const silent = await open()
  const closed = new Promise((resolve) => reply.once('close', resolve))
  reply.end()
  await closed

  const third = await open()
  assert.deepEqual(await firstClosed(asker, silent, third), [1])
  const fourth = await open()
  assert.deepEqual(await firstClosed(asker, third, fourth), [0])
})

test('who waits for a reply stays, and so does what was upgraded', async (t) => {
  const { open, ask } = await start(t, 3)
  const [asker] = await ask()
  const upgraded = await open(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  await once(upgraded, 'data')
  const silent = await open('GET / HTTP/1.1\r\nHost: a\r\nHalf')
  const newcomer = await open()
  assert.deepEqual(await firstClosed(asker, upgraded, silent, newcomer), [2])
})

test('when all are busy the newcomer goes, and there is room again when one has gone', async (t) => {
  const { open, ask } = await start(t, 2)
  const [[first, reply], [second]] = [await ask(), await ask()]
  const newcomer = await open()
  assert.deepEqual(await firstClosed(first, second, newcomer), [2])

  const closed = new Promise((resolve) => reply.once('close', resolve))
  first.destroy()
  await closed
  const [third, its] = await ask()
  its.end('hello')
  await once(third, 'data')
  assert.equal(second.closed, false)
})

test('S6: who sends only half a body makes room, and then who does not read', async (t) => {
  const { open, ask, replies } = await start(t, 3)
  const [asker] = await ask()
  const reader = (await open(REQUEST)).pause()
  await until(() => replies.length === 2)
  replies[1]!.end('x'.repeat(20_000_000))
  const sender = await open('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf')
  await until(() => replies.length === 3)

  const [fourth] = await ask()
  await until(() => replies[1]!.closed)
  const [fifth] = await ask()
  assert.deepEqual(await firstClosed(asker, sender, fourth, fifth), [1])
  const sixth = await open()
  assert.deepEqual(await firstClosed(asker, fourth, fifth, sixth), [3])
  reader.destroy()
})

test('of a pipeline ten are worked on at a time, in order, also when they end in another', async (t) => {
  const { open, replies, connections } = await start(t, 2)
  const socket = await open(REQUEST.repeat(25))
  await until(() => replies.length === 10)
  for (let n = 9; n > 0; n--) replies[n]!.end(`reply ${n}`)
  const other = await open(REQUEST)
  await until(() => replies.length === 11)
  replies[10]!.end('the other one')
  await once(other, 'data')
  assert.equal(replies.length, 11)

  replies[0]!.end('reply 0')
  await until(() => replies.length === 21)
  const server = replies.at(-1)!.req.socket
  socket.destroy()
  await until(() => connections.repliesOn(server).length === 0)
  await turn()
  assert.equal(replies.length, 21, 'nobody waits for the rest')
})

test('H25: when ten thousand are in line, a longer pipeline is cut, a short one is not', async (t) => {
  const { open, ask, replies } = await start(t, 5)
  const deep = await open(REQUEST.repeat(10_010))
  await until(() => replies.length === 10)
  const short = await open(REQUEST.repeat(10))
  await until(() => replies.length === 20)
  assert.equal(deep.destroyed, false)

  deep.write(REQUEST)
  assert.deepEqual(await firstClosed(deep, short), [0])
  await ask()
  assert.equal(replies.length, 21, 'nothing of what was in line is done')
})

test('S4: when too much is unread the oldest replies are cut, and nothing is begun before they are gone', async (t) => {
  const { ask, connections } = await start(t, 5)
  const MIB = 1_048_576
  const [[first, its], [second, other], [third, small]] = [await ask(), await ask(), await ask()]
  connections.unread(its, 100 * MIB)
  connections.unread(other, 156 * MIB)
  assert.equal(its.req.socket.destroyed, false)

  connections.unread(small, 1)
  assert.equal(its.req.socket.destroyed, true)
  await ask()
  assert.deepEqual([its.closed, other.closed, small.closed], [true, false, false])
  assert.deepEqual(await firstClosed(first, second, third), [0])
})

test('a reply that is ready when its connection has ended, in line behind another, is not unread', async (t) => {
  const { open, ask, connections, replies } = await start(t, 5)
  const socket = await open(REQUEST + REQUEST)
  await until(() => replies.length === 2)
  const [, second] = replies
  socket.destroy()
  await until(() => connections.repliesOn(second!.req.socket).length === 0)
  connections.unread(second!, 1e9)

  const [, other] = await ask() // hangs, if that one still counts
  connections.unread(other, 1)
  assert.equal(other.req.socket.destroyed, false)
})

test('a reply may be larger than all that may be unread', async (t) => {
  const { ask, connections } = await start(t, 5)
  const [, reply] = await ask()
  connections.unread(reply, 1e9)
  assert.equal(reply.req.socket.destroyed, false)
  reply.destroy()
})

test('replies in line behind one another are known in order, and closed with their connection', async (t) => {
  const { open, ask, connections } = await start(t, 2)
  const [socket, first] = await ask()
  const server = first.socket!
  socket.write(REQUEST + REQUEST)
  await until(() => connections.repliesOn(server).length === 3)
  const replies = connections.repliesOn(server)
  assert.equal(replies[0], first)

  const closed = replies.map(
    (reply) => new Promise<void>((resolve) => reply.once('close', resolve)),
  )
  socket.destroy()
  await Promise.all(closed)
  assert.deepEqual(connections.repliesOn(server), [])
  await open()
})
