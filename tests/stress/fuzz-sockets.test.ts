// 10,000 mutated frames and messages against a live server, open, guarded, and with the limits that it
// has by default: it lives, whatever was valid has the right answer, and memory returns.

import assert from 'node:assert/strict'
import { framesOf, OPCODE, type ServerFrame } from '../frames.ts'
import { answersIn, checkAnswer } from './answers.ts'
import { closing, frame } from './frames.ts'
import { fuzzTest, type Tally } from './fuzz.ts'
import { type Expected, expectedOf, goodOf, statusOf } from './socket-answers.ts'
import { bytesOfCase, handshakeOf } from './socket-bytes.ts'
import { MAX_TOPICS, type SocketCase, socketCase } from './socket-cases.ts'
import type { Subject } from './subject.ts'
import { Talk } from './talk.ts'
import { levelTasks, makeTasks, NAMED, settings, ticketFor, type World } from './world.ts'

interface Setup {
  readonly isOpen: boolean
  /** Messages a second, and at once. */
  readonly rate: number
  readonly burst: number
}

const HISTORY = 3
const MAX_ROOMS = 300

const ERRORS = [
  ...['bad_message', 'unknown_type', 'bad_topic', 'forbidden', 'not_found', 'too_many_topics'],
  ...['rate_limited', 'too_big'],
]

async function play(
  subject: Subject,
  one: SocketCase,
  world: World,
  tally: Tally,
  setup: Setup,
): Promise<void> {
  const isWithTicket = !world.isOpen && one.way === 'ticket'
  const ticket = isWithTicket ? await ticketFor(subject, goodOf(one.user)) : ''
  const started = performance.now()
  const talk = new Talk(subject.port)
  const head = Buffer.from(handshakeOf(one, world, ticket))
  const bytes = bytesOfCase(one, world.ids)
  await talk.send(one.isEager ? Buffer.concat([head, bytes]) : head, one.isEager ? one.cuts : [])
  await talk.until((received) => received.includes('\r\n\r\n'))
  if (!one.isEager) await talk.send(bytes, one.cuts)

  const expected = expectedOf(one, world)
  const isLet = statusOf(one, world) === 101
  if (!isLet) await talk.until(() => false)
  else if (expected) await talk.until((received) => isOver(heardIn(received), expected))
  else await talk.quiet()
  const heard = heardIn(talk.received)
  const seconds = (performance.now() - started) / 1_000
  if (one.end === 'reset') talk.reset()
  else {
    if (one.end === 'close') await talk.send(frame(OPCODE.close, closing(1000)))
    await talk.end()
  }

  const { answers, rest } = answersIn(talk.received)
  for (const answer of answers) checkAnswer(answer)
  tally.add(`${answers[0]?.status}`)
  assert.equal(answers[0]?.status, statusOf(one, world), 'the handshake')
  if (!isLet) return
  checkHeard(new Heard(framesOf(rest)), tally)
  if (!expected) return
  tally.add('known in advance')
  checkExpected(heard, expected, setup, seconds)
  if (one.isEcho) checkTexts(heard.texts, expected.echoes, heard.closes === undefined)
  else {
    const rooms = roomsOf(heard, expected)
    if (rooms) checkRooms(rooms)
  }
}

type Message = Readonly<Record<string, unknown>>

/** What the server has said. */
class Heard {
  readonly closes: number | undefined
  readonly texts: readonly string[]
  readonly messages: readonly Message[]
  readonly pongs: readonly string[]

  constructor(frames: readonly ServerFrame[]) {
    const last = frames.findIndex(({ opcode }) => opcode === OPCODE.close)
    assert.ok(last < 0 || last === frames.length - 1, 'frames behind a close')
    const of = (wanted: number) =>
      frames.flatMap(({ opcode, payload }) => (opcode === wanted ? String(payload) : []))
    const close = last < 0 ? undefined : frames[last]!.payload
    this.closes = close && (close.length >= 2 ? close.readUInt16BE() : 1005)
    this.texts = of(OPCODE.text)
    this.pongs = of(OPCODE.pong)
    this.messages = this.texts.map((text) => (text.startsWith('{') ? JSON.parse(text) : {}))
  }
}

function heardIn(received: Buffer): Heard {
  const { answers, rest } = answersIn(received)
  return new Heard(answers[0]?.status === 101 ? framesOf(rest) : [])
}

function isOver(heard: Heard, expected: Expected): boolean {
  if (heard.closes !== undefined || expected.closes !== undefined) return heard.closes !== undefined
  const { texts, messages, pongs } = heard
  const rooms = roomsOf(heard, expected)
  return (
    (!rooms || hasOwn(rooms)) &&
    texts.length >= expected.echoes.length &&
    pongs.length >= expected.controlPongs.length &&
    messages.filter(isAnswer).length >= expected.answers.length &&
    messages.filter(({ type }) => type === 'pong').length >= expected.pongs
  )
}

function isAnswer({ type }: Message): boolean {
  return type === 'ok' || type === 'error'
}

function checkHeard({ texts, messages, closes }: Heard, tally: Tally): void {
  for (const [i, message] of messages.entries()) {
    const { type, code } = message
    if (type === 'error') assert.ok(ERRORS.includes(String(code)), `${texts[i]}`)
    else assert.match(String(type ?? texts[i]), /^(ok|message|presence|pong$|You said: )/s)
    tally.add(type === 'error' ? String(code) : String(type ?? 'echo'))
  }
  if (closes === undefined) return
  tally.add(`closed with ${closes >= 3000 ? 'what the client said' : closes}`)
}

function checkExpected(heard: Heard, expected: Expected, setup: Setup, seconds: number): void {
  const { messages, texts, pongs, closes } = heard
  const isLimited = closes === 1008 && expected.closes !== 1008
  if (isLimited) assert.ok(expected.counted > setup.burst, 'closed for its rate, too soon')
  else assert.equal(closes, expected.closes, 'the close code')
  const isWhole = closes === undefined
  const ownPongs = messages.filter(({ type }) => type === 'pong').length
  const said = messages.filter((message) => isAnswer(message) && message.code !== 'rate_limited')
  const echoes = texts.filter((text) => text.startsWith('You said: '))
  const answered = said.length + ownPongs + pongs.length + echoes.length
  const most = setup.burst + setup.rate * seconds + 1
  assert.ok(answered <= most, `${answered} messages were answered in ${seconds} s`)
  checkTexts(pongs, expected.controlPongs, isWhole)
  const isRight = isWhole ? ownPongs === expected.pongs : ownPongs <= expected.pongs
  assert.ok(isRight, `expected ${expected.pongs} pongs, got ${ownPongs}`)
  checkAnswers(said, expected, isWhole)
}

// In order; all of them, unless the connection was closed.
function checkTexts(heard: readonly string[], wanted: readonly string[], isWhole: boolean): void {
  assert.deepEqual(heard, isWhole ? wanted : wanted.slice(0, heard.length))
}

// Each request has one answer, by its id, and the right one.
function checkAnswers(messages: readonly Message[], { answers }: Expected, isWhole: boolean): void {
  const open = answers.map((one) => ({ ...one }))
  for (const message of messages) {
    const { type, id, code } = message
    const name = id === undefined ? undefined : JSON.stringify(id)
    const said = type === 'ok' ? 'ok' : String(code)
    const at = open.findIndex((one) => one.id === name && one.codes.includes(said))
    assert.ok(at >= 0, `an answer that should not be: ${JSON.stringify(message)}`)
    open.splice(at, 1)
  }
  if (isWhole) assert.deepEqual(open, [], 'requests without an answer')
}

/** What one client can know of its rooms. */
interface Rooms {
  /** Topics that it follows, each with the newest offset that it was given. */
  readonly followed: ReadonlyMap<string, number>
  /** What it has published, and what came, by topic and offset. */
  readonly published: ReadonlyMap<string, unknown>
  readonly seen: ReadonlyMap<string, unknown>
}

// In a room and of a user: none twice, none missing, none of a topic that is not followed.
function roomsOf({ messages }: Heard, { answers }: Expected): Rooms | undefined {
  const named = answers.filter(({ id }) => id !== undefined)
  const byId = new Map(named.map(({ id, message }, at) => [id, { message, at }]))
  if (byId.size < named.length) return undefined // whose answer it is can't be told

  const followed = new Map<string, number>()
  const left = new Map<string, number>() // where it was asked for
  const published = new Map<string, unknown>()
  const seen = new Map<string, unknown>()
  for (const message of messages) {
    const { type, offset } = message
    const { message: asked, at = 0 } = (type === 'ok' && byId.get(JSON.stringify(message.id))) || {}
    const topic = String(message.topic ?? asked?.topic)
    if (asked?.type === 'subscribe') {
      checkStanding(message)
      // The answer to an unsubscribe may overtake the one to the subscribe before it.
      if (at > (left.get(topic) ?? -1)) followed.set(topic, Number(offset))
    }
    if (asked?.type === 'unsubscribe') {
      followed.delete(topic)
      left.set(topic, at)
    }
    if (asked?.type === 'publish' && asked.key === undefined && offset !== undefined) {
      published.set(`${topic} ${offset}`, asked.data)
    }
    if (type !== 'message' || !/^(room|user):/.test(topic)) continue
    const before = followed.get(topic)
    assert.ok(before !== undefined, `a message of ${topic}, which is not followed`)
    if (offset === undefined) continue
    assert.equal(offset, before + 1, `the offset in ${topic}`)
    followed.set(topic, before + 1)
    seen.set(`${topic} ${offset}`, message.data)
  }
  return { followed, published, seen }
}

// Who follows a room gets its own messages.
function hasOwn({ followed, published }: Rooms): boolean {
  return [...published.keys()].every((place) => {
    const [topic = '', offset] = place.split(' ')
    return (followed.get(topic) ?? Number.POSITIVE_INFINITY) >= Number(offset)
  })
}

function checkRooms({ published, seen }: Rooms): void {
  for (const [place, data] of published) {
    if (seen.has(place)) assert.deepEqual(seen.get(place), data, `what was published at ${place}`)
  }
}

function checkStanding(answer: Message): void {
  const { offset, messages } = answer as { offset: number; messages: { offset: number }[] }
  assert.ok(messages.length <= HISTORY)
  const offsets = messages.map((message) => message.offset)
  const wanted = messages.map((_, i) => offset - messages.length + 1 + i)
  assert.deepEqual(offsets, wanted, 'the offsets of what was missed')
}

// Rooms that nobody follows make place for as many others.
async function level(subject: Subject, isOpen: boolean): Promise<void> {
  await levelTasks(subject)
  const one: SocketCase = {
    isEcho: false,
    user: 'alice',
    isGuest: false,
    way: 'header',
    items: [],
    mutations: [],
    cuts: [],
    isEager: false,
    end: 'close',
  }
  const talk = new Talk(subject.port)
  await talk.send(Buffer.from(handshakeOf(one, { isOpen, ids: NAMED }, '')))
  await talk.until((received) => received.includes('\r\n\r\n'))
  for (let i = 0; i < MAX_ROOMS; i++) {
    const text = JSON.stringify({ type: 'publish', id: i, topic: `room:level-${i}`, data: i })
    await talk.send(frame(OPCODE.text, Buffer.from(text)))
  }
  await talk.until((received) => heardIn(received).messages.length === MAX_ROOMS)
  await talk.end()
}

function show({ items, ...rest }: SocketCase): string {
  const one = { items, ...rest }
  const bytes = bytesOfCase(one, NAMED)
  const sent = [rest, ...items.filter((item) => item !== null)].map((part) => JSON.stringify(part))
  return [`${bytes.toString('hex').slice(0, 1_000)} (hex)`, ...sent].join('\n')
}

function mutatedOf({ items, mutations }: SocketCase): number {
  const isMutated = (item: SocketCase['items'][number]) =>
    item && (mutations.length > 0 || ('edits' in item && item.edits.length > 0))
  return items.filter(isMutated).length
}

/** Some third of what is seen. */
const SEEN = {
  ...{ '101': 500, ok: 2_000, message: 200, pong: 600, echo: 600, bad_message: 1_500 },
  ...{ bad_topic: 250, forbidden: 300, not_found: 35, unknown_type: 200 },
  ...{ 'closed with 1002': 60, 'closed with 1007': 50, 'closed with 1009': 25 },
  'known in advance': 500,
}
const LIMITED = { '101': 150, ok: 500, rate_limited: 40, 'closed with 1008': 40 }

const NO_LIMIT = { rate: 1_000_000, burst: 1_000_000 }
const BY_DEFAULT = { rate: 20, burst: 40 }

for (const [title, setup, share, items] of [
  ['an open server outlives mutated frames', { isOpen: true, ...NO_LIMIT }, 0.45, 16],
  ['a guarded server outlives mutated frames', { isOpen: false, ...NO_LIMIT }, 0.35, 16],
  ['limits by default outlive mutated frames', { isOpen: true, ...BY_DEFAULT }, 0.2, 60],
] as const) {
  fuzzTest<SocketCase, World>(title, {
    file: 'fuzz-sockets.test.ts',
    env: {
      ...settings(setup.isOpen),
      HISTORY: String(HISTORY),
      MAX_ROOMS: String(MAX_ROOMS),
      MAX_TOPICS: String(MAX_TOPICS),
      MESSAGE_RATE: String(setup.rate),
      MESSAGE_BURST: String(setup.burst),
    },
    cases: socketCase(items),
    together: 12,
    share,
    mutatedOf,
    mutatedOnAverage: 0.3 * items,
    prepare: async (subject) => ({ isOpen: setup.isOpen, ids: await makeTasks(subject) }),
    play: (subject, one, world, tally) => play(subject, one, world, tally, setup),
    level: (subject) => level(subject, setup.isOpen),
    show,
    expected: setup.burst === BY_DEFAULT.burst ? LIMITED : SEEN,
  })
}
