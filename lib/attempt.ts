// One attempt at a task, from its start to its outcome. Never rejects: a task's failure ends here.

import type { AbortableContext, TaskContext } from './context.ts'
import { describeError } from './errors.ts'
import { resultOf, type Task } from './task.ts'

export async function attempt(
  start: (context: TaskContext) => unknown,
  context: AbortableContext,
): Promise<Partial<Task>> {
  const started = performance.now()
  const ms = () => Math.round(performance.now() - started)
  try {
    const result = resultOf(await start(context))
    context.log.debug('task succeeded', { ms: ms() })
    return { state: 'succeeded', result }
  } catch (error) {
    const state = context.isAborted ? 'cancelled' : 'failed'
    context.log.warn(`task ${state}`, { ms: ms(), error })
    return { state, error: describeError(error) }
  }
}
