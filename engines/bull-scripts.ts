// The other scripts, for what BullMQ has no command: tasks as they are, pages of all of them, a cancel that is
// over when it is answered, results, counts. Where things are: `bull-keys.ts`.

import { ADMIT, REVIVE } from './bull-admission.ts'
import { COMMON, RESULTS } from './bull-keys.ts'
import { FIELDS } from './bull-record.ts'
import type { RedisLink } from './redis.ts'

// A task as BullMQ has it: id, state, when it is due, and the fields. A cancel that was confirmed decides,
// whatever its function has returned.
const RECORD = `
local FIELDS = {${FIELDS.map((field) => `'${field}'`).join(', ')}} -- 6: processedOn, 7: finishedOn, 12: cancelled
local function record(id)
  local fields = redis.call('HMGET', at(id), unpack(FIELDS))
  if not fields[1] then return end
  local state, due = 'queued', false
  if fields[7] then
    local isDone = redis.call('ZSCORE', at(id, 'completed'), id)
    state = fields[12] and 'cancelled' or isDone and 'succeeded' or 'failed'
  elseif fields[6] and redis.call('LPOS', at(id, 'active'), id) then
    state = 'running'
  else
    due = redis.call('ZSCORE', at(id, 'delayed'), id)
  end
  return {id, state, due, unpack(fields, 1, #FIELDS)}
end
`

// ARGV: prefix, ids. Returns those that are there.
const READ = `${COMMON}${RECORD}
local found = {}
for i = 2, #ARGV do found[#found + 1] = record(ARGV[i]) end
return found
`

// ARGV: prefix, owner, name, state, how many, the number below which it goes on. Looks at 1,000 at most.
// Returns the number that it has come to, 0 at the end, and of those that match their numbers and records.
const LIST = `${COMMON}${RECORD}
local _, owner, name, state, limit, below = unpack(ARGV)
local key = owner == '' and prefix..':index' or prefix..':index:'..owner
local entries = redis.call('ZREVRANGEBYSCORE', key, '('..below, '-inf', 'WITHSCORES', 'LIMIT', 0, 1000)
local found = {}
for i = 1, #entries, 2 do
  local one = record(entries[i]:match('^%S+'))
  if one and (name == '' or one[4] == name) and (state == '' or one[2] == state) then
    found[#found + 1] = {entries[i + 1], one}
    if #found == tonumber(limit) then return {entries[i + 1], found} end
  end
end
return {#entries == 2000 and entries[2000] or '0', found}
`

// ARGV: prefix, id, keep, channel. Returns the task, if it had not ended. What waits is cancelled at once; of
// what runs its process is told.
const CANCEL = `${COMMON}${RECORD}
local _, id, keep, channel = unpack(ARGV)
local ended = redis.call('HMGET', at(id), 'name', 'finishedOn')
if not ended[1] or ended[2] then return false end
redis.call('HSET', at(id), 'cancelled', now)
if redis.call('LPOS', at(id, 'active'), id) then
  redis.call('PUBLISH', channel, id)
  tell(id, 'cancelling')
  return record(id)
end
for _, line in ipairs({'prioritized', 'delayed'}) do redis.call('ZREM', at(id, line), id) end
redis.call('LREM', at(id, 'wait'), 0, id)
redis.call('HSET', at(id), 'finishedOn', now)
redis.call('ZADD', at(id, 'failed'), now, id)
tell(id, 'failed', 'prev', 'waiting')
local cancelled = record(id)
while redis.call('ZCARD', at(id, 'failed')) > tonumber(keep) do
  redis.call('DEL', at(id, redis.call('ZPOPMIN', at(id, 'failed'))[1]))
end
return cancelled
`

// ARGV: prefix, id. It is past its timeout and goes on.
const MARK_LATE = `${COMMON}
redis.call('HSET', at(ARGV[2]), 'late', 1)
tell(ARGV[2], 'cancelling')
`

// ARGV: prefix, ids. Returns those of which a cancel was confirmed.
const CANCELLED = `${COMMON}
local found = {}
for i = 2, #ARGV do
  if redis.call('HEXISTS', at(ARGV[i]), 'cancelled') == 1 then found[#found + 1] = ARGV[i] end
end
return found
`

// ARGV: prefix, id, the bytes that all may have, the result. The oldest are let go of.
const KEEP_RESULT = `${COMMON}${RESULTS}
local _, id, most, body = unpack(ARGV)
release(id)
redis.call('SET', prefix..':result:'..id, body)
redis.call('ZADD', prefix..':results', now, id)
redis.call('INCRBY', prefix..':bytes', #body + EACH)
while tonumber(redis.call('GET', prefix..':bytes')) > tonumber(most) do
  local oldest = redis.call('ZRANGE', prefix..':results', 0, 0)[1]
  if not oldest then break end
  release(oldest)
end
`

// ARGV: prefix, lanes of this process, which are written down. Returns, over all lanes, how many are queued,
// how many run, and how many milliseconds ago the first in line was accepted.
const LOOK = `${COMMON}
if #ARGV > 1 then redis.call('SADD', prefix..':lanes', unpack(ARGV, 2)) end
local queued, running, oldest = 0, 0, now
for _, lane in ipairs(redis.call('SMEMBERS', prefix..':lanes')) do
  local key = prefix..':'..lane..':'
  queued = queued + redis.call('LLEN', key..'wait')
  queued = queued + redis.call('ZCARD', key..'prioritized') + redis.call('ZCARD', key..'delayed')
  running = running + redis.call('LLEN', key..'active')
  local first = redis.call('LINDEX', key..'wait', -1) or redis.call('ZRANGE', key..'prioritized', 0, 0)[1]
  local since = first and redis.call('HGET', key..first, 'timestamp')
  oldest = math.min(oldest, tonumber(since or now))
end
return {queued, running, now - oldest}
`

const script = (lua: string) => ({ numberOfKeys: 0, lua })

export const SCRIPTS = {
  admitTasks: script(ADMIT),
  readTasks: script(READ),
  listTasks: script(LIST),
  cancelTask: script(CANCEL),
  reviveTask: script(REVIVE),
  cancelledTasks: script(CANCELLED),
  markLate: script(MARK_LATE),
  keepResult: script(KEEP_RESULT),
  lookAtTasks: script(LOOK),
}
export type TaskLink = RedisLink<typeof SCRIPTS>
export type TaskClient = TaskLink['commands']
