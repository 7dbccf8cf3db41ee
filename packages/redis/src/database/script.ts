import { createHash } from 'node:crypto'

/** A script in Lua. Redis runs it as one step. */
export interface Script {
  readonly text: string
  /** The name by which Redis knows it when it has seen it before. */
  readonly sha: string
}

/** Makes a script. Its keys and arguments are `KEYS` and `ARGV`. */
export function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/**
 * Makes a script that changes something. It does nothing after its deadline, which is `ARGV[1]`,
 * and returns the time of the server in milliseconds first of all.
 */
export function change(text: string): Script {
  return script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now >= tonumber(ARGV[1]) then return {now, 'late'} end
${text}`)
}
