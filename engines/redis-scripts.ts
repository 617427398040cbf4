// What has to happen in one go in Redis: each of these Lua scripts does, and nothing comes in between.
// They name their keys themselves, so it takes a single Redis (with replicas), not a cluster.
//
//     PREFIX:rooms          sorted set: the rooms, by when they were last used
//     PREFIX:room:NAME      hash: epoch, run (of the Redis that made it), offset, bytes (of its log)
//     PREFIX:log:room:NAME  stream: its newest messages; the number of an entry's id is its offset
//     PREFIX:in:room:NAME   set: who is in it, as "SERVER USER"
//     PREFIX:key:TOPIC KEY  string: the offset of the message with this key, for some minutes
//     PREFIX:servers        sorted set: the servers, by when they were last heard of

import type { RedisLink } from './redis.ts'

// An epoch is good for one life of one Redis: after a restart it may lack what it had confirmed last,
// and would give the same offsets to other messages. So then each room gets another epoch.
const OPEN = `
local prefix, room, run, fresh, maxRooms, silence = unpack(ARGV, 1, 6)
local key, log, inside, rooms = prefix..room, prefix..'log:'..room, prefix..'in:'..room, prefix..'rooms'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function members(of)
  local there = {}
  for _, entry in ipairs(redis.call('SMEMBERS', of)) do
    local heard = redis.call('ZSCORE', prefix..'servers', entry:match('^%S+'))
    if heard and now - heard < tonumber(silence) then there[#there + 1] = entry
    else redis.call('SREM', of, entry) end
  end
  return there
end

-- The room that was used longest ago and that nobody follows. Of the oldest ten only: this is no search.
local function evict()
  for _, old in ipairs(redis.call('ZRANGE', rooms, 0, 9)) do
    if #members(prefix..'in:'..old) == 0 then
      redis.call('DEL', prefix..old, prefix..'log:'..old, prefix..'in:'..old)
      return redis.call('ZREM', rooms, old)
    end
    redis.call('ZADD', rooms, now, old)
  end
end

local function open()
  local epoch, made = unpack(redis.call('HMGET', key, 'epoch', 'run'))
  if not epoch and redis.call('ZCARD', rooms) >= tonumber(maxRooms) and not evict() then return end
  if not epoch then redis.call('HSET', key, 'offset', 0, 'bytes', 0) end
  redis.call('ZADD', rooms, now, room)
  if made == run then return epoch end
  redis.call('HSET', key, 'epoch', fresh, 'run', run)
  return fresh
end
`

// ARGV as in OPEN, then the key, its lifetime, history, bytes of it, channel, head and tail of the text.
const PUBLISH = `${OPEN}
local id, lifetime, history, maxBytes, channel, head, tail = unpack(ARGV, 7, 13)
local known = id ~= '' and redis.call('GET', prefix..'key:'..id)
if known then return tonumber(known) end
local epoch = open()
if not epoch then return redis.error_reply('TOOMANYROOMS') end

local offset = redis.call('HINCRBY', key, 'offset', 1)
local text = head..offset..tail
redis.call('XADD', log, offset..'-0', 't', text)
local bytes = redis.call('HINCRBY', key, 'bytes', #text)
while bytes > tonumber(maxBytes) or redis.call('XLEN', log) > tonumber(history) do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  if not oldest then break end
  redis.call('XDEL', log, oldest[1])
  bytes = redis.call('HINCRBY', key, 'bytes', -#oldest[2][2])
end
if id ~= '' then redis.call('SET', prefix..'key:'..id, offset, 'PX', lifetime) end
redis.call('PUBLISH', channel, 'm '..epoch..' '..offset..' '..text)
return offset
`

// ARGV as in OPEN, then the epoch and the offset that are known. Returns what is new since, or all.
const READ = `${OPEN}
local epoch = open()
if not epoch then return redis.error_reply('TOOMANYROOMS') end
local from = ARGV[7] == epoch and '('..ARGV[8]..'-0' or '-'
local texts = {}
for _, entry in ipairs(redis.call('XRANGE', log, from, '+')) do texts[#texts + 1] = entry[2][2] end
return {epoch, tonumber(redis.call('HGET', key, 'offset')), texts, members(inside)}
`

// ARGV: prefix, server, silence. Returns whether the server was known, and those that live.
const BEAT = `
local prefix, server, silence = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', prefix..'servers', '-inf', now - silence)
local isNew = redis.call('ZADD', prefix..'servers', now, server)
return {1 - isNew, redis.call('ZRANGE', prefix..'servers', 0, -1)}
`

export const SCRIPTS = {
  publishInRoom: { numberOfKeys: 0, lua: PUBLISH },
  readRoom: { numberOfKeys: 0, lua: READ },
  beat: { numberOfKeys: 0, lua: BEAT },
}
export type RoomLink = RedisLink<typeof SCRIPTS>
