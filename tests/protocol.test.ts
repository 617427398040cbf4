import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerText, idOf, parseFrame, parseMessage, parseTopic } from '../lib/protocol.ts'
import { connectSocket, startApp } from './helpers.ts'

const bad: [what: string, message: string, code: string, id?: unknown][] = [
  ['W1: no JSON', '{', 'bad_message'],
  ['W1: an empty frame', '', 'bad_message'],
  ['W1: null', 'null', 'bad_message'],
  ['W1: an array', '[]', 'bad_message'],
  ['W1: a number', '1', 'bad_message'],
  ['W2: no type', '{}', 'bad_message'],
  ['33 levels', publish('['.repeat(33) + ']'.repeat(33)), 'bad_message', 1],
  ['a number beyond JSON', publish('1e999'), 'bad_message', 1],
  ['W2: an unknown type', '{"type":"x","id":7}', 'unknown_type', 7],
  ['W3: a type of every object', '{"type":"__proto__"}', 'unknown_type'],
  ['W3: another such type', '{"type":"constructor","id":"c"}', 'unknown_type', 'c'],
  ['W3: a third', '{"type":"toString","id":1}', 'unknown_type', 1],
  ['W3: a topic of that kind', '{"type":"subscribe","id":1,"topic":"__proto__:a"}', 'bad_topic', 1],
  ['W2: a type that is no text', '{"type":["ping"]}', 'bad_message'],
  ['W2: no id', '{"type":"subscribe","topic":"room:a"}', 'bad_message'],
  ['W2: half an id', '{"type":"subscribe","id":1.5,"topic":"room:a"}', 'bad_message'],
  [
    'W2: a long id',
    `{"type":"subscribe","id":"${'x'.repeat(65)}","topic":"room:a"}`,
    'bad_message',
  ],
  ['W2: no topic', '{"type":"subscribe","id":1}', 'bad_topic', 1],
  ['W2: an unknown topic', '{"type":"subscribe","id":1,"topic":"x"}', 'bad_topic', 1],
  ['W5: a room without a name', '{"type":"subscribe","id":1,"topic":"room:"}', 'bad_topic', 1],
  ['W5: a name with a slash', '{"type":"subscribe","id":1,"topic":"room:../a"}', 'bad_topic', 1],
  [
    'W5: a name of 65',
    `{"type":"publish","id":1,"topic":"room:${'x'.repeat(65)}","data":1}`,
    'bad_topic',
    1,
  ],
  [
    'W5: a name of 10 KB',
    `{"type":"subscribe","id":1,"topic":"room:${'x'.repeat(10_000)}"}`,
    'bad_topic',
    1,
  ],
  [
    'W5: a name with a smile',
    '{"type":"publish","id":1,"topic":"room:☺","data":1}',
    'bad_topic',
    1,
  ],
  ['A9: another user', '{"type":"subscribe","id":1,"topic":"user:bob"}', 'forbidden', 1],
  ['W8: no such task', '{"type":"subscribe","id":1,"topic":"task:none"}', 'not_found', 1],
  ['W2: no data', '{"type":"publish","id":1,"topic":"room:a"}', 'bad_message', 1],
  [
    'publishing to a user',
    '{"type":"publish","id":1,"topic":"user:alice","data":1}',
    'forbidden',
    1,
  ],
  ['publishing to a task', '{"type":"publish","id":1,"topic":"task:a","data":1}', 'forbidden', 1],
  ['publishing to all tasks', '{"type":"publish","id":1,"topic":"tasks","data":1}', 'forbidden', 1],
  [
    'W12: since nowhere',
    '{"type":"subscribe","id":1,"topic":"room:a","since":5}',
    'bad_message',
    1,
  ],
  [
    'W12: since null',
    '{"type":"subscribe","id":1,"topic":"room:a","since":null}',
    'bad_message',
    1,
  ],
  ['W12: since an offset that is NaN', since('{"epoch":"e","offset":NaN}'), 'bad_message'],
  ['W12: since half an offset', since('{"epoch":"e","offset":0.5}'), 'bad_message', 1],
  ['W12: since an offset in quotes', since('{"epoch":"e","offset":"1"}'), 'bad_message', 1],
  [
    'W12: since an offset beyond all',
    since('{"epoch":"e","offset":9007199254740992}'),
    'bad_message',
    1,
  ],
  ['W12: since no epoch', since('{"offset":1}'), 'bad_message', 1],
  ['an empty key', publish('1,"key":""'), 'bad_message', 1],
  ['a key of 65', publish(`1,"key":"${'x'.repeat(65)}"`), 'bad_message', 1],
  ['a key that is a number', publish('1,"key":1'), 'bad_message', 1],
  ['a key that is null', publish('1,"key":null'), 'bad_message', 1],
  ['half transient', publish('1,"transient":1'), 'bad_message', 1],
  ['transient in quotes', publish('1,"transient":"true"'), 'bad_message', 1],
  [
    'more than 64 KiB of what was sent short',
    publish(`[${'1e20,'.repeat(10_000)}1]`),
    'too_big',
    1,
  ],
]

function since(position: string): string {
  return `{"type":"subscribe","id":1,"topic":"room:a","since":${position}}`
}

function publish(data: string): string {
  return `{"type":"publish","id":1,"topic":"room:a","data":${data}}`
}

for (const [what, message, code, id] of bad) {
  test(`${what} is answered with ${code}, and the connection stays`, async (t) => {
    const { url } = await startApp(t)
    const socket = await connectSocket(t, url, { user: 'alice' })

    socket.send(message)
    const error = await socket.next()
    socket.send({ type: 'ping' })

    assert.deepEqual([error.type, error.code, error.id], ['error', code, id])
    assert.equal(typeof error.detail, 'string')
    assert.deepEqual(await socket.next(), { type: 'pong' })
  })
}

test('W2: a message is read with nothing but its own fields', () => {
  const read = (message: object) => parseMessage({ ...message, more: 1 })
  const since = { epoch: 'e', offset: 3 }
  assert.deepEqual(read({ type: 'ping' }), { type: 'ping' })
  for (const message of [
    { type: 'subscribe', id: 1, topic: 'tasks' },
    { type: 'subscribe', id: 'a', topic: 'room:tea', since },
    { type: 'unsubscribe', id: 2, topic: 'user:alice' },
    { type: 'subscribe', id: 'b', topic: 'room:tea', since: { epoch: '', offset: -1 } },
    { type: 'publish', id: 3, topic: 'room:tea', data: null },
    { type: 'publish', id: 3, topic: 'room:tea', data: 0, key: 'x'.repeat(64), transient: true },
    { type: 'publish', id: 3, topic: 'room:tea', data: 0, key: '\n' },
  ]) {
    assert.deepEqual(read(message), message)
  }
})

test('what is transient is told from what is not', () => {
  const message = { type: 'publish', id: 3, topic: 'room:tea', data: 0 }
  assert.deepEqual(parseMessage({ ...message, transient: false }), message)
})

test('an answer has the messages as they were written', () => {
  const standing = { epoch: 'e', offset: 2, recovered: true, members: ['alice'], count: 1 }
  const read = (messages: string[]) => JSON.parse(answerText('"', 'room:tea', standing, messages))
  const answer = { type: 'ok', id: '"', topic: 'room:tea', ...standing }
  assert.deepEqual(read([]), { ...answer, messages: [] })
  assert.deepEqual(read(['{"offset":1}', '{"offset":2}']), {
    ...answer,
    messages: [{ offset: 1 }, { offset: 2 }],
  })
})

test('a topic has a kind and a name', () => {
  assert.deepEqual(parseTopic('room:tea'), { kind: 'room', name: 'tea' })
  assert.deepEqual(parseTopic('task:1-2'), { kind: 'task', name: '1-2' })
  assert.deepEqual(parseTopic('tasks'), { kind: 'tasks', name: '' })
  for (const topic of ['', 'room', 'room:', 'tasks:a', 'Room:a', 'x:a', 'room:a\n']) {
    assert.equal(parseTopic(topic), undefined)
  }
})

test('an id is an integer or a short string, and is read whatever else is wrong', () => {
  for (const id of [0, -1, 2 ** 53 - 1, '', 'x'.repeat(64)]) assert.equal(idOf({ id }), id)
  for (const id of [1.5, 2 ** 53, null, {}, 'x'.repeat(65)]) assert.equal(idOf({ id }), undefined)
  assert.throws(() => parseFrame('{"id":1}'), { code: 'bad_message' })
})
