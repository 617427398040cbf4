// The soak: for so many minutes the server gets everything at once, from HTTP and from sockets, and in the
// end nothing may be lost, doubled, out of order, or left behind.
//
//     npm run soak -- [MINUTES] [SEED]

import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { within } from '../../lib/within.ts'
import { Figures } from './soak/figures.ts'
import { Jobs } from './soak/jobs.ts'
import { draw, requests } from './soak/requests.ts'
import { Rooms } from './soak/rooms.ts'
import { type Sample, Server } from './soak/server.ts'
import { sockets } from './soak/sockets.ts'
import { growth, mebibytes } from './soak/verdict.ts'
import { World } from './soak/world.ts'

const SAMPLES = 30
const SETTLE = 60_000 // milliseconds for all that is under way to end
const LEAVE = 20_000 // milliseconds until connections that are kept are closed, and sockets cut
const OWN = 5 // descriptors: of the request that asks, for instance
const DRAIN_SECONDS = 10

const { minutes, seed } = readArguments(process.argv.slice(2))
const folder = await mkdtemp(join(tmpdir(), 'meanwhile-soak-'))
const undone: (() => unknown)[] = [() => rm(folder, { recursive: true, force: true })]
try {
  process.exitCode = (await soak()).length === 0 ? 0 : 1
} finally {
  for (const undo of undone.reverse()) await undo()
}

function readArguments([minutes = '1', seed = String(randomInt(2 ** 31)), ...more]: string[]) {
  if (more.length === 0 && Number(minutes) > 0 && Number(minutes) <= 10_000 && /^\d+$/.test(seed)) {
    return { minutes: Number(minutes), seed: Number(seed) }
  }
  console.error('expected [MINUTES] [SEED], such as: npm run soak -- 0.5 42')
  process.exit(1)
}

async function soak(): Promise<string[]> {
  const file = join(folder, 'log.txt')
  const server = new Server({
    PORT: '0',
    LOG_LEVEL: 'info',
    WORK_FILE: file,
    JOURNAL: join(folder, 'tasks.journal'),
    WORK_SECONDS: '0.06',
    NOTIFY_SECONDS: '0.03',
    DRAIN_SECONDS: String(DRAIN_SECONDS),
    KEEP: '1000',
    THREADS: '1',
    MAX_CONNECTIONS_PER_ADDRESS: '500',
    MAX_ROOMS: '200', // fewer than are visited
    MAX_UNSENT: '262144',
  })
  undone.push(() => server.kill('SIGKILL'))
  const world = new World(await server.url, seed)
  const { problems } = world
  console.log(`soak of ${minutes} minutes, seed ${seed}`)

  const jobs = new Jobs(world)
  const rooms = new Rooms(world)
  const idle = await atRest(server)
  const scope = { after: (undo: () => unknown) => undone.push(undo) }
  const loads = Promise.all([jobs.run(), rooms.run(scope), requests(world), sockets(world)]).catch(
    (error) => world.fail(error),
  )
  const samples = await watch(server, world)
  world.over.abort()
  if (!(await within(SETTLE, loads))) problems.push('what was under way has not ended')

  await jobs.check(file)
  rooms.check()
  rooms.close()
  problems.push(...growth(samples), ...(await leftovers(server, idle)))
  problems.push(...(await stop(server)))
  report(server, world)
  return problems
}

/** What it holds when it has done one of each, and has its thread. */
async function atRest(server: Server): Promise<Sample> {
  const world = new World(await server.url, seed)
  await draw(world)
  return server.sample()
}

/** Looks at the server again and again, until the time is over or too much is wrong. */
async function watch(server: Server, world: World): Promise<Sample[]> {
  const samples: Sample[] = []
  while (samples.length < SAMPLES && !world.isOver) {
    await world.pause((minutes * 60_000) / SAMPLES)
    const sample = await server.sample()
    samples.push(sample)
    if (samples.length % (SAMPLES / 10) === 0) {
      const memory = `memory ${mebibytes(sample.used)}, resident ${mebibytes(sample.rss)}`
      const share = Math.round((samples.length / SAMPLES) * 100)
      console.log(`${share} %: ${memory}, descriptors ${sample.descriptors ?? 'unknown'}`)
    }
  }
  return samples
}

/** What is still there when everybody has gone and everything has ended. */
async function leftovers(server: Server, { descriptors = 0 }: Sample): Promise<string[]> {
  const deadline = performance.now() + LEAVE
  for (;;) {
    const figures = await Figures.of(await server.url)
    const { descriptors: held = 0 } = await server.sample()
    const left = ['tasks_running', 'tasks_queued', 'sockets'].filter((name) => figures.total(name))
    if (held > descriptors + OWN) left.push(`${held} descriptors, ${descriptors} at first`)
    if (left.length === 0) return figures.problems()
    if (performance.now() > deadline) return left.map((what) => `left behind: ${what}`)
    await delay(500)
  }
}

async function stop(server: Server): Promise<string[]> {
  server.kill('SIGTERM')
  const isInTime = await within(DRAIN_SECONDS * 1_000 + 2_000, server.exited)
  if (!isInTime) return ['it did not stop in time']
  const code = await server.exited
  return code === 0 ? [] : [`it stopped with exit code ${code}`]
}

function report({ errors, lines }: Server, { counts, problems }: World): void {
  for (const [what, count] of [...counts].toSorted()) console.log(`${count} × ${what}`)
  for (const [line, count] of [...lines].toSorted()) console.log(`${count} × logged: ${line}`)
  problems.push(...errors.map((entry) => `logged: ${JSON.stringify(entry)}`))
  for (const problem of problems) console.error(`wrong: ${problem}`)
  console.log(
    problems.length === 0 ? 'nothing is wrong' : `wrong: ${problems.length}, seed ${seed}`,
  )
}
