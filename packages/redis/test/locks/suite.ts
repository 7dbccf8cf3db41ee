import { afterAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisLocker } from '@tuskit/redis'
import { type Behind, behindProxy, type Connect, unplug } from '../behind-proxy.js'
import { RedisServers } from '../redis-servers.js'

const lease = 2_000

/** Runs the suite. Most cases wait for a fault to end, so several run at the same time. */
export function locksSuite(connect: Connect): void {
  const servers = new RedisServers()
  afterAll(() => servers.stop())

  const compose = async (behind: Behind) => {
    const client = await connect(behind)
    return new StoreComposer().use(new RedisLocker({ client, lease, timeout: 1_000 }))
  }
  conformanceSuite({
    test: test.concurrent,
    slots: ['locker', 'lifecycles'],
    factory: () => behindProxy(servers, compose),
    another: compose,
    unplug,
    lease,
    openHandles: ({ proxy }) => proxy.connections,
  })
}
