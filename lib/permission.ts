// Who may follow what, and publish where.

import type { Identity } from './identity.ts'
import { ProtocolError, parseTopic, type TopicKind } from './protocol.ts'

const TASKS_OF = 'tasks:'

/** The topic behind a user's name for it. Throws a `ProtocolError` if it is not for this user. */
export function topicFor({ user, isAdmin }: Identity, topic: string): string {
  const { kind, name } = parseTopic(topic)!
  if (kind === 'user' && name !== user) {
    throw new ProtocolError('forbidden', 'only this user may follow the topic')
  }
  if (kind === 'stats' && !isAdmin) {
    throw new ProtocolError('forbidden', 'only an admin may follow the topic')
  }
  return kind === 'tasks' && !isAdmin ? tasksOf(user) : topic
}

/** The topic of one user's tasks, which that user knows as `tasks`. */
export function tasksOf(user: string): string {
  return `${TASKS_OF}${user}`
}

/** Throws a `ProtocolError` for what is no topic of the server's. */
export function kindOf(topic: string): TopicKind {
  if (topic.startsWith(TASKS_OF)) return 'tasks'
  const { kind } = parseTopic(topic) ?? {}
  if (kind) return kind
  throw new ProtocolError('bad_topic', `expected a topic, got ${topic}`)
}

/** Throws a `ProtocolError` for where only the server publishes. */
export function checkPublish(topic: string): void {
  if (parseTopic(topic)?.kind === 'room') return
  throw new ProtocolError('forbidden', 'only the server publishes to this topic')
}
