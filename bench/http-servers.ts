// The servers that `http.ts` compares, each a process of its own: `node http-servers.ts NAME`. Each reads
// a JSON body, answers 202, and then does its work: `POST /accept` nothing, `POST /process` a line that is
// appended to a file. Of them all only `meanwhile` knows its tasks afterwards; the others forget them.
//
// The peers are set up for speed: no logger, no ETag, no header that is not needed, a schema for what
// Fastify writes, production mode for Express. Each is loaded only where it is asked for.

import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { appendFile } from 'node:fs/promises'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { answerWith, cpu } from './child.ts'
import { profile } from './profile.ts'

const WORK_FILE = process.env.WORK_FILE ?? ''
const ACCEPTED = { status: 'accepted' }

const contestants: Readonly<Record<string, () => Promise<number>>> = {
  meanwhile,
  'node:http': () => bare(),
  'node:http with AsyncLocalStorage': () => bare(new AsyncLocalStorage()),
  Fastify: fastify,
  Hono: hono,
  Express: express,
}

async function meanwhile(): Promise<number> {
  const { readSettings } = await import('../lib/config.ts')
  const { json } = await import('../lib/reply.ts')
  const { behind } = await import('../lib/task-routes.ts')
  const { createApp } = await import('../server.ts')
  const { defineTask } = await import('../tasks.ts')
  const nothing = defineTask('nothing', async (_payload: unknown) => {})
  const app = await createApp(readSettings(), {
    definitions: [nothing],
    routes: {
      'POST /accept': async (request) => {
        const { id } = await app.tasks.add(nothing, await request.json(), behind(request))
        return json(202, { ...ACCEPTED, id }, { location: `/tasks/${id}` })
      },
    },
  })
  return Number(new URL(app.url).port)
}

/** With a scope, each request runs in one of its own: what that costs, whoever does it. */
async function bare(scope?: AsyncLocalStorage<object>): Promise<number> {
  const { createServer } = await import('node:http')
  const listener: RequestListener = async (req, res) => {
    const body = req.method === 'POST' ? JSON.parse(await textOf(req)) : undefined
    if (req.url === '/process') res.once('close', () => append(body))
    const text = JSON.stringify(ACCEPTED)
    const headers = { 'content-type': 'application/json', 'content-length': text.length }
    res.writeHead(body ? 202 : 200, headers).end(text) // with a length: chunks would cost more
  }
  const scoped: RequestListener = (req, res) => scope!.run({ req }, listener, req, res)
  return listen(createServer(scope ? scoped : listener))
}

function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    req.on('data', (chunk) => chunks.push(chunk))
    req.on('end', () => resolve(Buffer.concat(chunks).toString()))
    req.on('error', reject)
  })
}

async function fastify(): Promise<number> {
  const { default: create } = await import('fastify')
  const app = create()
  const response = { type: 'object', properties: { status: { type: 'string' } } }
  const schema = { body: { type: 'object' }, response: { '2xx': response } }
  app.get('/healthz', { schema: { response: { '2xx': response } } }, async () => ACCEPTED)
  app.post('/accept', { schema }, async (request, reply) => {
    setImmediate(doNothing, request.body)
    reply.code(202)
    return ACCEPTED
  })
  app.post('/process', { schema }, async (request, reply) => {
    reply.raw.once('close', () => append(request.body))
    reply.code(202)
    return ACCEPTED
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return portOf(app.server)
}

async function hono(): Promise<number> {
  const { Hono } = await import('hono')
  const { serve } = await import('@hono/node-server')
  const app = new Hono()
  app.get('/healthz', (c) => c.json(ACCEPTED))
  app.post('/accept', async (c) => {
    setImmediate(doNothing, await c.req.json())
    return c.json(ACCEPTED, 202)
  })
  app.post('/process', async (c) => {
    const body = await c.req.json()
    setImmediate(append, body) // it has no event of its own for the end of a reply
    return c.json(ACCEPTED, 202)
  })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  return portOf(server)
}

async function express(): Promise<number> {
  process.env.NODE_ENV = 'production' // before it is loaded
  const { default: create, json } = await import('express')
  const app = create().disable('etag').disable('x-powered-by')
  app.get('/healthz', (_req, res) => void res.json(ACCEPTED))
  app.post('/accept', json(), (req, res) => {
    setImmediate(doNothing, req.body)
    res.status(202).json(ACCEPTED)
  })
  app.post('/process', json(), (req, res) => {
    res.once('close', () => append(req.body))
    res.status(202).json(ACCEPTED)
  })
  return listen(app.listen(0, '127.0.0.1'))
}

function doNothing(_body: unknown): void {}

async function append(body: unknown): Promise<void> {
  await appendFile(WORK_FILE, `Processed: ${JSON.stringify(body)}\n`)
}

async function listen(server: Server): Promise<number> {
  if (!server.listening) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  }
  return portOf(server)
}

function portOf(server: { address(): AddressInfo | string | null }): number {
  return (server.address() as AddressInfo).port
}

const [, , name = ''] = process.argv
answerWith({ cpu, profile }, await contestants[name]!())
