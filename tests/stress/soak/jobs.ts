// Jobs: queued, failed, cancelled, retried, sent again with the same key, and left by their client. What
// was answered 202 is followed to its end, and held against the file that the jobs write.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Json, jsonOf, post } from '../../helpers.ts'
import type { Dice, World } from './world.ts'

const CLIENTS = 6
const PAUSE = 120 // milliseconds at most between two jobs of one
const LOOK = 400 // milliseconds at most between two looks at one job
const ATTEMPTS = 3

interface Job {
  readonly id: string
  readonly fail: number
  /** Cancelled, and then perhaps retried: it may have written its line before. */
  wasCancelled: boolean
  /** How it has to end. */
  end: 'succeeded' | 'failed' | 'cancelled'
  isOver: boolean
}

export class Jobs {
  readonly #world: World
  readonly #sent = new Set<number>()
  /** What was answered 202, by its number. */
  readonly #accepted = new Map<number, Job>()
  readonly #followed = new Set<Promise<void>>()

  constructor(world: World) {
    this.#world = world
  }

  async run(): Promise<void> {
    const clients = Array.from({ length: CLIENTS }, () => {
      const dice = this.#world.dice()
      return this.#world.repeat(PAUSE, dice, () => this.#queue(dice))
    })
    await Promise.all(clients)
    await Promise.all(this.#followed)
  }

  /** Each line of the file is of a job that was sent, and each job has left what it should have. */
  async check(file: string): Promise<void> {
    const { expect } = this.#world
    const written = new Map<number, number>()
    for (const line of (await readFile(file, 'utf8')).trimEnd().split('\n')) {
      const { n } = JSON.parse(line.slice('Processed: '.length))
      written.set(n, (written.get(n) ?? 0) + 1)
    }
    for (const [n, lines] of written) {
      expect(this.#sent.has(n), `job ${n} was written, and never sent`)
      const most = this.#accepted.get(n)?.wasCancelled ? 2 : 1
      expect(lines <= most, `job ${n} was written ${lines} times`)
    }
    for (const [n, { id, end, isOver, wasCancelled }] of this.#accepted) {
      expect(isOver, `job ${n} (${id}) has not ended`)
      const lines = written.get(n) ?? 0
      if (end === 'succeeded') expect(lines > 0, `job ${n} (${id}) was not written`)
      if (!wasCancelled && end === 'failed') expect(lines === 0, `job ${n} failed and was written`)
    }
  }

  get size(): number {
    return this.#accepted.size
  }

  async #queue(dice: Dice): Promise<void> {
    const n = this.#sent.size
    this.#sent.add(n)
    if (dice.percent(5)) return this.#leave(n, dice)
    const fail = dice.percent(15) ? 1 + Math.floor(dice.upTo(ATTEMPTS)) : 0
    const key = dice.percent(10) ? randomUUID() : undefined
    const reply = await this.#send(n, fail, key)
    this.#world.count(`POST /process ${reply.status}`)
    if (reply.status !== 202) {
      return this.#world.expect(reply.status === 503, `POST /process was ${reply.status}`)
    }
    const { id } = await jsonOf(reply)
    const end = fail < ATTEMPTS ? 'succeeded' : 'failed'
    const job: Job = { id, fail, wasCancelled: false, end, isOver: false }
    this.#accepted.set(n, job)
    if (key) await this.#repeat(n, job, key)
    const following = this.#live(job, dice).finally(() => this.#followed.delete(following))
    this.#followed.add(following)
  }

  #send(n: number, fail: number, key?: string): Promise<Response> {
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
    return post(`${this.#world.url}/process${fail ? `?fail=${fail}` : ''}`, { n }, headers)
  }

  // Nobody will know what became of it.
  async #leave(n: number, dice: Dice): Promise<void> {
    const hangUp = new AbortController()
    const sent = post(`${this.#world.url}/process`, { n }, {}, hangUp.signal).catch(() => {})
    await this.#world.pause(dice.upTo(4))
    hangUp.abort()
    await sent
    this.#world.count('POST /process and away')
  }

  async #repeat(n: number, { id, fail }: Job, key: string): Promise<void> {
    const { expect } = this.#world
    const replies = await Promise.all([this.#send(n, fail, key), this.#send(n, fail, key)])
    for (const reply of replies) {
      const again = await jsonOf(reply)
      expect(reply.status === 202 && again.id === id, `a repeat of ${id} became ${again.id}`)
    }
    const other = await this.#send(-1, fail, key)
    expect(other.status === 422, `another body with the key of ${id} was ${other.status}`)
    await other.text()
    this.#world.count('sent again with its key')
  }

  /** From accepted to ended; some are cancelled on the way, and some of these and of those that failed retried. */
  async #live(job: Job, dice: Dice): Promise<void> {
    if (dice.percent(10)) {
      await this.#world.pause(dice.upTo(200))
      await this.#cancel(job)
    }
    await this.#follow(job, dice)
    if (job.end === 'succeeded' || !dice.percent(30)) return
    await this.#retry(job)
    await this.#follow(job, dice)
  }

  async #cancel(job: Job): Promise<void> {
    const reply = await fetch(`${this.#world.url}/tasks/${job.id}`, { method: 'DELETE' })
    await reply.text()
    this.#world.count(`DELETE /tasks/:id ${reply.status}`)
    if (reply.status === 409) return // it was over
    this.#world.expect(reply.status === 202, `DELETE of ${job.id} was ${reply.status}`)
    job.wasCancelled = true
    job.end = 'cancelled'
  }

  async #retry(job: Job): Promise<void> {
    const reply = await post(`${this.#world.url}/tasks/${job.id}/retry`)
    await reply.text()
    this.#world.count(`POST /tasks/:id/retry ${reply.status}`)
    if (reply.status === 503) return // full
    this.#world.expect(reply.status === 202, `a retry of ${job.id} was ${reply.status}`)
    job.isOver = false
    job.end = job.fail < ATTEMPTS ? 'succeeded' : 'failed'
  }

  async #follow(job: Job, dice: Dice): Promise<void> {
    for (;;) {
      const reply = await fetch(`${this.#world.url}/tasks/${job.id}`)
      const task: Json = await reply.json()
      this.#world.count(`GET /tasks/:id ${reply.status}`)
      if (reply.status !== 200) {
        return this.#world.expect(false, `GET of ${job.id} was ${reply.status}`)
      }
      if (task.endedAt) {
        job.isOver = true
        return this.#world.expect(
          task.state === job.end,
          `${job.id}: ${task.state}, not ${job.end}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, dice.upTo(LOOK))) // also after the end
    }
  }
}
