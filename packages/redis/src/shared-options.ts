import { must, type OptionRule } from 'tuskit/store-kit'
import { isIoRedis, isNodeRedis, type RedisClient } from './database/redis-client.js'

/** Options that records and locks share. */
export interface RedisPartOptions {
  /**
   * A client of the package `redis` (`createClient`, `createCluster`, `createSentinel`; connected)
   * or `ioredis` (`Redis`, `Cluster`). It is never closed here. Required.
   */
  readonly client: RedisClient
  /**
   * The beginning of all keys, without braces. Records and locks can have the same one.
   *
   * @default 'tuskit:'
   */
  readonly prefix?: string
  /**
   * Milliseconds after which a call fails that Redis has not responded to. Nothing that it was to
   * change happens after that. A call whose signal aborts can also take so long.
   *
   * @default 3000
   */
  readonly timeout?: number
}

const beClient: OptionRule = {
  expectation: 'a client of redis or ioredis',
  accepts: (v) => typeof v === 'object' && v !== null && (isNodeRedis(v) || isIoRedis(v)),
  required: true,
}

/** Braces would decide about the servers of a Cluster. */
const bePrefix: OptionRule = {
  expectation: 'a non-empty string without braces',
  accepts: (v) => typeof v === 'string' && /^[^{}]+$/s.test(v),
}

export const sharedRules = { client: beClient, prefix: bePrefix, timeout: must.beMilliseconds }

export const defaults = { prefix: 'tuskit:', timeout: 3_000 }
