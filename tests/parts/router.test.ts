import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpError } from '../../lib/reply.ts'
import { Router } from '../../lib/router.ts'

const handler = () => ({ status: 200, headers: {}, body: '' })
const router = new Router({
  'GET /': handler,
  'GET /tasks': handler,
  'GET /tasks/:id': handler,
  'DELETE /tasks/:id': handler,
  'POST /notify/:user': handler,
})

const found: [method: string, path: string, params: object][] = [
  ['GET', '/', {}],
  ['HEAD', '/', {}],
  ['GET', '/tasks', {}],
  ['GET', '/tasks/', {}],
  ['GET', '/t%61sks', {}],
  ['GET', '/tasks/1', { id: '1' }],
  ['DELETE', '/tasks/1/', { id: '1' }],
  ['GET', '/tasks/a%2Fb', { id: 'a/b' }],
  ['GET', '/tasks/%2561', { id: '%61' }],
  ['POST', '/notify/%C3%A9', { user: 'é' }],
  ['OPTIONS', '*', {}],
]

for (const [method, path, params] of found) {
  test(`${method} ${path} is found with ${JSON.stringify(params)}`, () => {
    const match = router.find(method, path)
    assert.deepEqual({ ...match.params }, params)
  })
}

const refused: [method: string, path: string, status: number][] = [
  ['GET', '//', 404],
  ['GET', '//tasks', 404],
  ['GET', '/tasks//', 404],
  ['GET', '/tasks/1/2', 404],
  ['GET', '/TASKS', 404],
  ['GET', '/nothing', 404],
  ['GET', '/tasks%2F1', 404],
  ['GET', '/%', 400],
  ['GET', '/%ff', 400],
  ['GET', '*', 400],
  ['GET', 'http://evil/tasks', 400],
  ['POST', '/tasks', 405],
  ['HEAD', '/notify/a', 405],
]

for (const [method, path, status] of refused) {
  test(`${method} ${path} is ${status}`, () => {
    assert.throws(
      () => router.find(method, path),
      (error) => error instanceof HttpError && error.status === status,
    )
  })
}

test('a route that does not read like one is refused at construction', () => {
  for (const key of ['/tasks', 'get /tasks', 'GET tasks']) {
    assert.throws(() => new Router({ [key]: handler }), TypeError)
  }
})
