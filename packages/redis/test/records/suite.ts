import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisInfoStore } from '@tuskit/redis'
import { RedisServer } from '../../services.js'
import { type Behind, behindProxy, type Connect, unplug } from '../behind-proxy.js'

/** Runs the suite with a server of its own. */
export function recordsSuite(connect: Connect): void {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.stop())

  const compose = async (behind: Behind) =>
    new StoreComposer().use(new RedisInfoStore({ client: await connect(behind), timeout: 1_000 }))
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    factory: () => behindProxy(redis, compose),
    another: compose,
    unplug,
    damage: (id, { redis }) => redis.command('EVAL', damage, '0', id),
    openHandles: ({ proxy }) => proxy.connections,
  })
}

const damage = `for _, key in ipairs(redis.call('KEYS', '*:record:' .. ARGV[1])) do
  redis.call('HSET', key, 'record', '{"format":1')
end`
