import { afterAll, beforeAll, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisLocker } from '@tuskit/redis'
import { RedisServer } from '../../services.js'
import { type Behind, behindProxy, type Connect, unplug } from '../behind-proxy.js'

const lease = 2_000

/** Runs the suite with a server of its own. */
export function locksSuite(connect: Connect): void {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.stop())

  const compose = async (behind: Behind) => {
    const client = await connect(behind)
    return new StoreComposer().use(new RedisLocker({ client, lease, timeout: 1_000 }))
  }
  conformanceSuite({
    test,
    slots: ['locker', 'lifecycles'],
    factory: () => behindProxy(redis, compose),
    another: compose,
    unplug,
    lease,
    openHandles: ({ proxy }) => proxy.connections,
  })
}
