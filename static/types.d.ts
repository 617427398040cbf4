// The shapes that pass between the page's modules, for `tsc` and for the reader: not served.

/** As the server shows it (`lib/task.ts`). Times are ISO 8601. */
interface Task {
  readonly id: string
  readonly name: string
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'
  readonly cancelling: boolean
  readonly attempt: number
  readonly attempts: number
  readonly progress: number | null
  readonly note: string | null
  readonly error: { readonly name: string; readonly message: string } | null
  readonly createdAt: string
  readonly runAt: string | null
  readonly startedAt: string | null
  readonly endedAt: string | null
}

/** The server's figures (`lib/stats.ts`): so many a second, milliseconds, bytes. */
interface Stats {
  readonly sockets: number
  readonly tasks: { readonly queued: number; readonly running: number }
  readonly requests: number
  readonly messages: number
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number }
  readonly memory: { readonly rss: number; readonly heap: number }
}

/** What one click does. */
interface Action {
  readonly title: string
  readonly lanes: Lane[]
  /** The most of its tasks that ran at the same time. */
  most: number
}

/** The life of a request and of the task that it made. All times: milliseconds since 1970. */
interface Lane {
  readonly label: string
  /** When it came into the picture. */
  readonly since: number
  /** Undefined for a task that somebody else has sent. */
  readonly action?: Action
  /** Its answer will name a task. */
  readonly makesTask: boolean
  readonly calls: Call[]
  readonly attempts: Attempt[]
  /** As it was last heard of. */
  task?: Task
  acceptedAt?: number
  endedAt?: number | undefined
}

/** A request. */
interface Call {
  readonly from: number
  /** Undefined while it is under way. */
  to?: number
  /** 0: no answer came. */
  status?: number
}

interface Sent {
  readonly lane: Lane
  readonly call: Call
}

interface Attempt {
  readonly number: number
  /** As the server says it. */
  readonly startedAt: string | null
  from: number
  to?: number
  /** Undefined also if the task was forgotten. */
  end?: 'succeeded' | 'failed' | 'cancelled' | 'interrupted'
  /** 0 to 1. */
  progress: number
}

/** A message on the socket. */
interface Tick {
  readonly at: number
  readonly isSent: boolean
}

interface CallOptions {
  /** Its answer will name a task. */
  makesTask?: boolean
  /** It is about a task that is there. */
  ofTask?: string
  /** It is one more of the same. */
  lane?: Lane | undefined
}

interface FetchOptions {
  /** JSON. */
  body?: string | undefined
  /** Hears of the answer before its body is read; without one, that none came. */
  answered?: (response?: Response) => void
  /** In place of the one that is known to be good. */
  token?: string | undefined
}

/** What came of a request. */
interface Reply {
  readonly isOk: boolean
  /** 0: no answer came. */
  readonly status: number
  /** JSON, or a `Blob`. */
  // biome-ignore lint/suspicious/noExplicitAny: each caller knows what it has asked for
  readonly data: any
  /** What went wrong, in words; empty if nothing did. */
  readonly problem: string
}

type Session = import('./session.js').Session
type Lanes = import('./lanes.js').Lanes
type TaskList = import('./panels/tasks.js').TaskList
