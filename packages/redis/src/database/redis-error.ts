import { isTusError, TusError } from 'tuskit'

/** The beginnings of errors of Redis for calls that are wrong in themselves. */
const mistakes = ['ERR', 'WRONGTYPE', 'CROSSSLOT']

/**
 * Returns the first word of an error of Redis, such as `OOM`, or nothing for an error of the client
 * or the network. Redis 6 reports errors of a script as `ERR … -OOM …`.
 */
export function replyCodeOf(error: unknown): string | undefined {
  const { message } = Object(error) as { readonly message?: unknown }
  if (typeof message !== 'string') return undefined
  const [, inside] = /^ERR .* -([A-Z]+) /s.exec(message) ?? []
  const [, first] = /^([A-Z]+)(?= |$)/.exec(message) ?? []
  return inside ?? first
}

/**
 * Returns the error for a call that failed: `ERR_STORAGE_FULL` when the server has no memory left,
 * and `ERR_STORAGE_UNAVAILABLE` for everything that may pass. Clients report lost connections in
 * many forms, so only a call that is wrong in itself remains as it is.
 */
export function redisError(cause: unknown): unknown {
  if (isTusError(cause)) return cause
  const code = replyCodeOf(cause)
  if (code === 'OOM') return new TusError('ERR_STORAGE_FULL', { cause })
  const isOfProgram = /^(Type|Range|Reference)Error: /.test(String(cause))
  const isMistake =
    code !== undefined && mistakes.includes(code) && !/max number of clients/.test(String(cause))
  if (isOfProgram || isMistake) return cause
  return new TusError('ERR_STORAGE_UNAVAILABLE', { cause })
}
