import { change, script } from '../database/script.js'

/** Milliseconds for which a free lock is kept for the one that has waited longest. */
const reserved = 250

/** Milliseconds after which the key of a lock expires that was released. */
const releasedFor = 3_600_000

/** Milliseconds after which the key of a lock expires that nobody has renewed or released. */
const heldFor = 86_400_000

/**
 * The lock: its last token, its holder (empty when released), the time at which its lease ends or
 * has ended, whether it is forced, and the requests to its holder. KEYS: lock, waiters.
 */
const read = `
local fields = redis.call('HMGET', KEYS[1],
  'token', 'holder', 'until', 'forced', 'writers', 'readers', 'declined')
local lock = {
  token = tonumber(fields[1]) or 0, holder = fields[2] or '', ends = tonumber(fields[3]) or 0,
  forced = fields[4] == '1', writers = tonumber(fields[5]) or 0,
  readers = tonumber(fields[6]) or 0, declined = tonumber(fields[7]) or 0,
}
local function asHeld()
  return {now, 'held', lock.token, lock.ends - now, lock.writers, lock.readers, lock.declined}
end
local function isHeld() return lock.holder ~= '' and lock.ends > now end`

/** Functions for what several scripts do. The last two arguments are the channel and the id. */
const steps = `
local function wake() redis.call('PUBLISH', ARGV[#ARGV - 1], ARGV[#ARGV]) end
local function wakeWaiters()
  if lock.writers + lock.readers > 0 or redis.call('EXISTS', KEYS[2]) == 1 then wake() end
end
local function release(forced)
  redis.call('HSET', KEYS[1], 'holder', '', 'until', now, 'forced', forced and '1' or '0')
  redis.call('PEXPIRE', KEYS[1], forced and ${heldFor} or ${releasedFor})
  wakeWaiters()
end`

/** ARGV: deadline, caller, lease, channel, id. */
export const takeLock = change(`${read} ${steps}
local caller = ARGV[2]
local function wait()
  redis.call('ZADD', KEYS[2], 'NX', time[1] * 1000000 + time[2], caller)
  redis.call('PEXPIRE', KEYS[2], ${heldFor})
end
local function first() return redis.call('ZRANGE', KEYS[2], 0, 0)[1] or caller end
local function hold()
  redis.call('HSET', KEYS[1], 'until', now + tonumber(ARGV[3]))
  redis.call('PEXPIRE', KEYS[1], ${heldFor})
  return {now, 'taken', lock.token, lock.forced and 1 or 0}
end
if lock.holder == caller then return hold() end
if isHeld() then
  wait()
  return asHeld()
end
if first() ~= caller then
  local left = lock.ends + ${reserved} - now
  if left <= 0 then
    redis.call('ZREM', KEYS[2], first())
    if first() ~= caller then
      left = ${reserved}
      redis.call('HSET', KEYS[1], 'until', now)
      wake()
    end
  end
  if left > 0 then
    wait()
    return {now, 'reserved', left}
  end
end
redis.call('ZREM', KEYS[2], caller)
lock.token = math.max(lock.token + 1, time[1] * 1000000 + time[2])
lock.forced = lock.forced or lock.holder ~= ''
redis.call('HSET', KEYS[1], 'token', string.format('%.0f', lock.token), 'holder', caller,
  'forced', lock.forced and '1' or '0', 'writers', 0, 'readers', 0, 'declined', 0)
-- They ask the new holder.
if redis.call('EXISTS', KEYS[2]) == 1 then wake() end
return hold()`)

/** ARGV: deadline, caller, channel, id. */
export const leaveLock = change(`${read} ${steps}
redis.call('ZREM', KEYS[2], ARGV[2])
if lock.holder == ARGV[2] then release(lock.forced) elseif not isHeld() then wakeWaiters() end
return {now}`)

/** ARGV: none. */
export const lookAtLock = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
${read}
if isHeld() then return asHeld() end
return {now, 'free'}`)

/** ARGV: deadline, token, the name of the requests, channel, id. */
export const askHolder = change(`${read} ${steps}
if not isHeld() or lock.token ~= tonumber(ARGV[2]) then return {now} end
local count = redis.call('HINCRBY', KEYS[1], ARGV[3], 1)
wake()
return {now, count}`)

/** ARGV: deadline, token, requests of readers, channel, id. */
export const declineReaders = change(`${read} ${steps}
if lock.holder == '' or lock.token ~= tonumber(ARGV[2]) then return {now} end
redis.call('HSET', KEYS[1], 'declined', ARGV[3])
wake()
return {now}`)

/** ARGV: deadline, token, lease. */
export const renewLock = change(`${read}
if lock.holder == '' or lock.token ~= tonumber(ARGV[2]) then return {now, 'lost'} end
lock.ends = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'until', lock.ends)
redis.call('PEXPIRE', KEYS[1], ${heldFor})
return asHeld()`)

/** ARGV: deadline, token, 1 if the next holder finds it forced, channel, id. */
export const releaseLock = change(`${read} ${steps}
if lock.holder == '' or lock.token ~= tonumber(ARGV[2]) then return {now} end
release(ARGV[3] == '1')
return {now}`)
