// How tasks are accepted, in Lua, since their bounds and keys are those of all servers: what BullMQ has no
// command for. Where things are: `bull-keys.ts`.

import { COMMON, RESULTS } from './bull-keys.ts'

const BOUNDS = `
local capacity, quota = tonumber(ARGV[2]), tonumber(ARGV[3])
local size = 0
for _, lane in ipairs(redis.call('SMEMBERS', prefix..':lanes')) do
  local key = prefix..':'..lane..':'
  size = size + redis.call('LLEN', key..'wait') + redis.call('LLEN', key..'active')
  size = size + redis.call('ZCARD', key..'prioritized') + redis.call('ZCARD', key..'delayed')
end

local function count(owner)
  local open = 0
  for _, id in ipairs(redis.call('ZRANGE', prefix..':index:'..owner, 0, -1)) do
    local job = redis.call('HMGET', at(id), 'name', 'finishedOn')
    if job[1] and not job[2] then open = open + 1 end
  end
  redis.call('HSET', prefix..':open', owner, open)
  -- It takes a microsecond for each, so it is not done all the time.
  redis.call('SET', prefix..':counted:'..owner, 1, 'PX', 1 + math.floor(quota / 5))
  return open
end

-- Why there is no room for one more, if so.
local function refusal(owner)
  if size >= capacity then return 'full' end
  if owner == '' then return end
  local open = tonumber(redis.call('HGET', prefix..':open', owner) or 0)
  if open < quota then return end
  if redis.call('EXISTS', prefix..':counted:'..owner) == 1 or count(owner) >= quota then return 'quota' end
end

local function enter(owner)
  size = size + 1
  if owner ~= '' then redis.call('HINCRBY', prefix..':open', owner, 1) end
end
`

// BullMQ does what has no priority first, and all the faster. So none has one, until one of a lane is to go
// first: from then on all of that lane have, those that wait already, too.
const PRIORITIES = `
local function isSorted(id, isFirst)
  local lane = id:match('%-(.+)$')
  if redis.call('SISMEMBER', prefix..':sorted', lane) == 1 then return true end
  if isFirst ~= '1' then return false end
  redis.call('SADD', prefix..':sorted', lane)
  for _ = 1, redis.call('LLEN', at(id, 'wait')) do
    local waiting = redis.call('RPOP', at(id, 'wait'))
    local place = USUAL * 0x100000000 + redis.call('INCR', at(id, 'pc')) % 0x100000000
    redis.call('ZADD', at(id, 'prioritized'), place, waiting)
    redis.call('HSET', at(waiting), 'priority', USUAL)
  end
  return true
end
`

/** BullMQ's, of what has none of its own: they go from 1, the first, to 2,097,151. */
export const USUAL_PRIORITY = 101

// ARGV: prefix, capacity, quota, then for each task its id, owner, key, and whether it goes before those
// without a priority. Returns for each why it is refused, or its id and whether its lane has priorities. If
// the key has a task already, it is the id of that.
export const ADMIT = `${COMMON}${BOUNDS}${PRIORITIES.replaceAll('USUAL', String(USUAL_PRIORITY))}${RESULTS}
local number = tonumber(redis.call('GET', prefix..':number') or 0)
local entries = {}

local function admit(id, owner, key, isFirst)
  local known = key ~= '' and redis.call('HGET', prefix..':keys', key)
  if known and redis.call('EXISTS', at(known), prefix..':coming:'..known) > 0 then return known..' 0' end
  local refused = refusal(owner)
  if refused then return refused end
  enter(owner)
  number = number + 1
  entries[#entries + 1] = number
  entries[#entries + 1] = id..' '..owner..' '..key..' '..time[1]
  if owner ~= '' then redis.call('ZADD', prefix..':index:'..owner, number, id) end
  if key ~= '' then
    redis.call('HSET', prefix..':keys', key, id)
    redis.call('SET', prefix..':coming:'..id, 1, 'EX', 60) -- until BullMQ has it
  end
  return id..(isSorted(id, isFirst) and ' 1' or ' 0')
end

local answers = {}
for i = 4, #ARGV, 4 do
  answers[#answers + 1] = admit(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3])
end
if #entries > 0 then redis.call('ZADD', prefix..':index', unpack(entries)) end
redis.call('SET', prefix..':number', number)

-- What BullMQ has forgotten is forgotten here, too: for each that comes, two are looked at.
local function forget(entry, id, owner, key)
  redis.call('ZREM', prefix..':index', entry)
  release(id)
  if key ~= '' and redis.call('HGET', prefix..':keys', key) == id then
    redis.call('HDEL', prefix..':keys', key)
  end
  if owner == '' then return end
  redis.call('ZREM', prefix..':index:'..owner, id)
  if redis.call('EXISTS', prefix..':index:'..owner) == 0 then
    redis.call('HDEL', prefix..':open', owner)
  end
end

local from = redis.call('GET', prefix..':swept') or '0'
local seen = redis.call('ZRANGE', prefix..':index', '('..from, '+inf', 'BYSCORE',
  'LIMIT', 0, 2 * #answers, 'WITHSCORES')
local swept = '0'
for i = 1, #seen, 2 do
  local id, owner, key, since = seen[i]:match('^(%S+) (%S*) (%S*) (%d+)$')
  if time[1] - since < 60 then swept = '0' break end -- it may still be on its way to BullMQ
  if redis.call('EXISTS', at(id)) == 0 then forget(seen[i], id, owner, key) end
  swept = seen[i + 1]
end
redis.call('SET', prefix..':swept', swept)
return answers
`

// ARGV: prefix, capacity, quota, id, owner, key, milliseconds to wait. What has failed or was cancelled is
// queued again, as if it were new. Returns whether, or why not.
export const REVIVE = `${COMMON}${BOUNDS}
local id, owner, key, wait = unpack(ARGV, 4, 7)
local done = redis.call('HGET', at(id), 'retries') or ''
if key ~= '' and done:find(' '..key..' ', 1, true) then return 'known' end
local isCancelled = redis.call('HEXISTS', at(id), 'cancelled') == 1
local isOver = redis.call('ZSCORE', at(id, 'failed'), id)
  or isCancelled and redis.call('ZSCORE', at(id, 'completed'), id)
if not isOver then return 'not over' end
local refused = refusal(owner)
if refused then return refused end
enter(owner)
redis.call('ZREM', at(id, 'failed'), id)
redis.call('ZREM', at(id, 'completed'), id)
redis.call('HDEL', at(id), 'finishedOn', 'processedOn', 'failedReason', 'returnvalue', 'stacktrace',
  'atm', 'ats', 'stc', 'defa', 'progress', 'cancelled', 'late')
if key ~= '' then redis.call('HSET', at(id), 'retries', (' '..key..' '..done):sub(1, 1024)) end
-- Delayed even if it need not wait: BullMQ's own \`promote\` puts it in line (see \`bull-holds.ts\`).
redis.call('ZADD', at(id, 'delayed'), (now + wait) * 0x1000, id)
tell(id, 'delayed')
return 'queued'
`
