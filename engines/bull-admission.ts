// How tasks are accepted, in Lua, since their bounds and keys are those of all servers: what BullMQ has no
// command for. Where things are: `bull-keys.ts`.

import { COMMON } from './bull-keys.ts'

const BOUNDS = `
local capacity, quota = tonumber(ARGV[2]), tonumber(ARGV[3])
local size = 0
for _, lane in ipairs(redis.call('SMEMBERS', prefix..':lanes')) do
  local key = prefix..':'..lane..':'
  size = size + redis.call('LLEN', key..'wait') + redis.call('LLEN', key..'active')
  size = size + redis.call('ZCARD', key..'prioritized') + redis.call('ZCARD', key..'delayed')
end

-- Its job may still be on its way here, if it is new.
local function isGone(id)
  return redis.call('EXISTS', at(id)) == 0 and now - tonumber(id:sub(1, 8), 36) > 60000
end

local function count(owner)
  local open = 0
  for _, id in ipairs(redis.call('ZRANGE', prefix..':index:'..owner, 0, -1)) do
    if redis.call('HEXISTS', at(id), 'finishedOn') == 0 and not isGone(id) then open = open + 1 end
  end
  redis.call('HSET', prefix..':open', owner, open)
  -- Not all the time, for that takes a while.
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

// ARGV: prefix, capacity, quota, then for each task its id, owner, key. Returns for each the id that it
// has, which is another one's if the key has one, or why it is refused.
export const ADMIT = `${COMMON}${BOUNDS}
local function admit(id, owner, key)
  local known = key ~= '' and redis.call('HGET', prefix..':keys', key)
  if known then return known end
  local refused = refusal(owner)
  if refused then return refused end
  enter(owner)
  local number = redis.call('INCR', prefix..':number')
  redis.call('ZADD', prefix..':index', number, id..' '..owner..' '..key)
  if owner ~= '' then redis.call('ZADD', prefix..':index:'..owner, number, id) end
  if key ~= '' then redis.call('HSET', prefix..':keys', key, id) end
  return id
end

-- What BullMQ has forgotten is forgotten here, too: for each that comes, two are looked at.
local function sweep(entry)
  local id, owner, key = entry:match('^(%S+) (%S*) (%S*)$')
  if not isGone(id) then return end
  redis.call('ZREM', prefix..':index', entry)
  if key ~= '' and redis.call('HGET', prefix..':keys', key) == id then
    redis.call('HDEL', prefix..':keys', key)
  end
  if owner == '' then return end
  redis.call('ZREM', prefix..':index:'..owner, id)
  if redis.call('EXISTS', prefix..':index:'..owner) == 0 then
    redis.call('HDEL', prefix..':open', owner)
  end
end

local answers = {}
for i = 4, #ARGV, 3 do answers[#answers + 1] = admit(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
local from = redis.call('GET', prefix..':swept') or '0'
local seen = redis.call('ZRANGEBYSCORE', prefix..':index', '('..from, '+inf', 'WITHSCORES', 'LIMIT', 0, 2 * #answers)
for i = 1, #seen, 2 do sweep(seen[i]) end
redis.call('SET', prefix..':swept', #seen == 4 * #answers and seen[#seen] or '0')
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
redis.call('ZADD', at(id, 'delayed'), (now + wait) * 0x1000, id)
tell(id, 'delayed')
return 'queued'
`
