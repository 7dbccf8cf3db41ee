import { afterAll, beforeAll, describe, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisInfoStore, RedisLocker } from '@tuskit/redis'
import { RedisCluster } from '../services.js'
import { clusterClients } from './clients.js'

let cluster: RedisCluster

beforeAll(async () => {
  cluster = await RedisCluster.start()
})
afterAll(() => cluster.stop())

describe.each(clusterClients)('$name', ({ connect }) => {
  const records = async () =>
    new StoreComposer().use(new RedisInfoStore({ client: await connect(cluster) }))
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    async factory() {
      for (const server of cluster.servers) await server.command('FLUSHALL')
      return { composer: await records() }
    },
    another: records,
  })

  const locks = async () =>
    new StoreComposer().use(new RedisLocker({ client: await connect(cluster), lease: 2_000 }))
  conformanceSuite({
    test,
    slots: ['locker', 'lifecycles'],
    async factory() {
      for (const server of cluster.servers) await server.command('FLUSHALL')
      return { composer: await locks() }
    },
    another: locks,
    lease: 2_000,
  })
})
