import { afterAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisInfoStore } from '@tuskit/redis'
import { type Behind, behindProxy, type Connect, unplug } from '../behind-proxy.js'
import { RedisServers } from '../redis-servers.js'

/** Runs the suite. Most cases wait for a fault to end, so several run at the same time. */
export function recordsSuite(connect: Connect): void {
  const servers = new RedisServers()
  afterAll(() => servers.stop())

  const compose = async (behind: Behind) =>
    new StoreComposer().use(new RedisInfoStore({ client: await connect(behind), timeout: 1_000 }))
  conformanceSuite({
    test: test.concurrent,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    factory: () => behindProxy(servers, compose),
    another: compose,
    unplug,
    damage: (id, { redis }) => redis.command('EVAL', damage, '0', id),
    openHandles: ({ proxy }) => proxy.connections,
  })
}

const damage = `for _, key in ipairs(redis.call('KEYS', '*:record:' .. ARGV[1])) do
  redis.call('HSET', key, 'record', '{"format":1')
end`
