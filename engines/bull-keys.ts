// Where tasks are in Redis: what BullMQ has of each, and what was written down beside it when it was
// accepted.
//
//     PREFIX:LANE:…         BullMQ's own (6.7): a queue for each lane, a hash for each task. Ours in that
//                           hash: `cancelled` (when), `late` (past its timeout, and goes on), `retries`
//                           (the keys of its retries)
//     PREFIX:lanes          set: the lanes
//     PREFIX:sorted         set: the lanes in which each task has a priority
//     PREFIX:index          sorted set: all tasks as "ID OWNER KEY SECONDS", by their number; SECONDS since
//                           1970, when they were accepted
//     PREFIX:index:OWNER    sorted set: the ids of one owner's, by their number
//     PREFIX:number         the number of the newest
//     PREFIX:swept          the number up to which it was looked whether they are still there
//     PREFIX:keys           hash: the id of the task that has a key
//     PREFIX:coming:ID      string: such a task is on its way to BullMQ
//     PREFIX:open           hash: tasks of an owner that have not ended, or more: counted again at the bound
//     PREFIX:counted:OWNER  string: they were counted a moment ago
//     PREFIX:results        sorted set: the tasks with a result that is not in their hash, by its time
//     PREFIX:bytes          of these results, and a hundred for each
//     PREFIX:result:ID      such a result
//     PREFIX:DB:cancel      channel: the id of a task that runs and is cancelled
//
// An id is "RANDOM-LANE".

export const PREFIX = 'meanwhile'

/** What each script begins with. */
export const COMMON = `
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function at(id, what)
  return prefix..':'..(id:match('%-(.+)$') or '')..':'..(what or id)
end
local function tell(id, event, ...)
  redis.call('XADD', at(id, 'events'), 'MAXLEN', '~', 10000, '*', 'event', event, 'jobId', id, ...)
end
`

/** For those that keep results, or let go of them. */
export const RESULTS = `
local EACH = 100 -- bytes, at least, that a key takes
local function release(id)
  if redis.call('ZREM', prefix..':results', id) == 0 then return end
  redis.call('DECRBY', prefix..':bytes', redis.call('STRLEN', prefix..':result:'..id) + EACH)
  redis.call('DEL', prefix..':result:'..id)
end
`

/** Of a task's hash. */
export function jobKey(lane: string, id: string): string {
  return `${PREFIX}:${lane}:${id}`
}
