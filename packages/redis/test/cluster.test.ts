import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StoreComposer } from 'tuskit'
import { conformanceSuite } from 'tuskit/conformance'
import { RedisInfoStore, RedisLocker } from '@tuskit/redis'
import { RedisCluster } from '../services.js'
import { shards } from '../src/database/shards.js'
import { clusterClients } from './clients.js'

let cluster: RedisCluster

beforeAll(async () => {
  cluster = await RedisCluster.start()
})
afterAll(() => cluster.stop())

test('the slots of the shards are spread evenly', async () => {
  const [server] = cluster.servers
  const slots = shards.map(async (shard) =>
    Number(await server!.command('CLUSTER', 'KEYSLOT', shard)),
  )
  const ranges = (await Promise.all(slots)).map((slot) => Math.floor(slot / 512))
  expect(ranges).toEqual(shards.map((_, shard) => shard))
})

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
