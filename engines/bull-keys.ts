// Where tasks are in Redis: what BullMQ has of each, and what was written down beside it when it was
// accepted.
//
//     PREFIX:LANE:…         BullMQ's own (6.7): a queue for each lane, a hash for each task
//     PREFIX:lanes          set: the lanes
//     PREFIX:index          sorted set: all tasks as "ID OWNER KEY", by their number
//     PREFIX:index:OWNER    sorted set: the ids of one owner's, by their number
//     PREFIX:number         the number of the newest
//     PREFIX:swept          the number up to which it was looked whether they are still there
//     PREFIX:keys           hash: the id of the task that has a key
//     PREFIX:open           hash: tasks of an owner that have not ended, or more: counted again at the bound
//     PREFIX:counted:OWNER  string: they were counted a moment ago
//     PREFIX:results        sorted set: the tasks with a result that is not in their hash, by its time
//     PREFIX:bytes          of these results
//     PREFIX:result:ID      such a result
//
// An id is "RANDOM-LANE", and begins with the milliseconds at which it was made, in base 36.

export const PREFIX = 'meanwhile-tasks'

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

/** Of a task's hash. */
export function jobKey(lane: string, id: string): string {
  return `${PREFIX}:${lane}:${id}`
}
