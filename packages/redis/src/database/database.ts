import { setTimeout as sleep } from 'node:timers/promises'
import { TusError } from 'tuskit'
import { unlessAborted } from 'tuskit/store-kit'
import { connectionOf, type Connection, type Subscriber, type Subscription } from './connection.js'
import type { RedisClient } from './redis-client.js'
import { redisError, replyCodeOf } from './redis-error.js'
import { type Script, script } from './script.js'
import { shards } from './shards.js'

/** Where and with which arguments a script runs. */
export interface Call {
  /** A member of {@link shards}. */
  readonly shard: string
  /** The ends of its keys. */
  readonly keys: readonly string[]
  readonly args: readonly (string | number)[]
  readonly signal: AbortSignal
}

const policyOf = script(`
local info = redis.pcall('INFO', 'memory')
if type(info) ~= 'string' then return '' end
if string.match(info, 'maxmemory:(%d+)') == '0' then return '' end
return string.match(info, 'maxmemory_policy:([%w-]+)')`)

/**
 * Runs scripts.
 *
 * Clients keep commands while there is no connection, and a server that hangs gets them when it
 * continues. So each change has a deadline by the clock of the server, after which it does nothing,
 * and a call that failed has settled only after that.
 */
export class Database {
  readonly #connection: Connection
  readonly #prefix: string
  readonly #timeout: number
  /**
   * The clocks of servers minus that of this process, by shard. Never more than they really are,
   * because a response takes some time, so a deadline is never later than intended.
   */
  readonly #clocks = new Map<string, number>()

  constructor(client: RedisClient, prefix: string, timeout: number) {
    this.#connection = connectionOf(client)
    this.#prefix = prefix
    this.#timeout = timeout
  }

  /**
   * Checks that all shards can be reached, and that their servers do not evict keys: `evicts` says
   * which policies would.
   */
  async check(owner: string, evicts: RegExp): Promise<void> {
    const { signal } = new AbortController()
    for (const shard of shards) {
      const policy = await this.read(policyOf, { shard, keys: ['policy'], args: [], signal })
      if (!evicts.test(String(policy))) continue
      throw new Error(
        `${owner} needs a Redis with 'maxmemory-policy noeviction', because with '${policy}' a full one deletes keys`,
      )
    }
  }

  /** Runs a script that changes nothing. */
  read(script: Script, call: Call): Promise<unknown> {
    const end = performance.now() + this.#timeout
    return unlessAborted(call.signal, before(end, this.#run(script, call, call.args)))
  }

  /**
   * Runs a script of `change`. Returns what comes after the time of the server. Settles when the
   * script has run, or can do nothing any more.
   */
  async change(script: Script, call: Call): Promise<readonly (string | number)[]> {
    const { shard, args, signal } = call
    const end = performance.now() + this.#timeout
    for (;;) {
      signal.throwIfAborted()
      // Without a clock, the first run is late in any case, and says which time it is.
      const clock = this.#clocks.get(shard) ?? -Infinity
      const deadline = Math.max(0, Math.floor(end + clock))
      const running = this.#run(script, call, [deadline, ...args]).catch(async (error: unknown) => {
        // When the connection was lost, the server may still have the script.
        if (replyCodeOf(error) === undefined) await sleep(end - performance.now() + 1)
        throw error
      })
      const reply = await before(end, running).catch((error: unknown) => {
        signal.throwIfAborted()
        throw error
      })
      const [now, ...rest] = reply as readonly unknown[]
      this.#clocks.set(shard, Number(now) - performance.now())
      const result = rest.map((one) => (typeof one === 'number' ? one : String(one)))
      if (result[0] !== 'late') return result
      if (performance.now() >= end) throw timedOut()
    }
  }

  /** Returns the whole name of a channel. */
  channel(name: string): string {
    return this.#prefix + name
  }

  /** Listens to a channel, over a connection of its own. Call `close` also if `opened` rejects. */
  subscribe(channel: string, to: Subscriber): Subscription {
    const subscription = this.#connection.subscribe(this.channel(channel), to)
    const end = performance.now() + this.#timeout
    return { ...subscription, opened: before(end, subscription.opened) }
  }

  async #run({ text, sha }: Script, call: Call, args: Call['args']): Promise<unknown> {
    const keys = call.keys.map((end) => this.#prefix + call.shard + end)
    const texts = args.map(String)
    try {
      return await this.#connection.evalSha(sha, keys, texts)
    } catch (error) {
      if (replyCodeOf(error) !== 'NOSCRIPT') throw error
      return await this.#connection.eval(text, keys, texts)
    }
  }
}

/** Returns the result of `work`, or rejects at `end`, by `performance.now()`. */
async function before<T>(end: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const expire = () => reject(timedOut())
    // A timer may be a millisecond early. A response may have come while the process was busy.
    timer = setTimeout(() => setImmediate(expire), end - performance.now() + 1)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw redisError(error)
  } finally {
    clearTimeout(timer)
  }
}

function timedOut(): TusError {
  return new TusError('ERR_STORAGE_UNAVAILABLE', { cause: new Error('Redis has not responded') })
}
