import { change, script } from './database/script.js'

/**
 * Writes a record with its places in the lists. Writes that need memory come first: a full server
 * refuses the first one, and then nothing has been changed.
 *
 * KEYS: record, ids, expiries. ARGV: deadline, id, revision, record, mark, expiry.
 */
const write = `
redis.call('HSET', KEYS[1], 'record', ARGV[4], 'mark', ARGV[5], 'expiry', ARGV[6])
redis.call('ZADD', KEYS[2], 0, ARGV[2])
if ARGV[6] ~= '' then redis.call('ZADD', KEYS[3], 0, ARGV[6]) end
return {now, 'done'}`

/** A client may send a command twice. So each call has a mark, by which it knows its own write. */
export const createRecord = change(`
if redis.call('HGET', KEYS[1], 'mark') == ARGV[5] then return {now, 'done'} end
if redis.call('EXISTS', KEYS[1]) == 1 then return {now, 'refused'} end
${write}`)

export const updateRecord = change(`
local record, mark, expiry = unpack(redis.call('HMGET', KEYS[1], 'record', 'mark', 'expiry'))
if mark == ARGV[5] then return {now, 'done'} end
if not record then return {now, 'refused'} end
local readable, stored = pcall(cjson.decode, record)
if not readable or type(stored) ~= 'table' then return {now, 'corrupt'} end
if stored.revision ~= tonumber(ARGV[3]) - 1 then return {now, 'refused'} end
if expiry and expiry ~= ARGV[6] then redis.call('ZREM', KEYS[3], expiry) end
${write}`)

/** KEYS as above. ARGV: deadline, id. */
export const deleteRecord = change(`
local expiry = redis.call('HGET', KEYS[1], 'expiry')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
if expiry then redis.call('ZREM', KEYS[3], expiry) end
return {now, 'done'}`)

/** Returns the record, nothing if there is none, and an empty text if something else is there. */
export const readRecord = script(`
local record = redis.call('HGET', KEYS[1], 'record')
if not record and redis.call('EXISTS', KEYS[1]) == 1 then return '' end
return record`)

/** Returns a part of a list. ARGV: from, to, the most members. */
export const listPage = script(`
return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])`)
