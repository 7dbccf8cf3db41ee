import { randomUUID } from 'node:crypto'
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

/** Cases share the Cluster, and each has keys of its own. */
interface Keys {
  readonly prefix: string
}

/** Makes a subject of the suite without records and locks. */
async function empty<Composer>(compose: (keys: Keys) => Promise<Composer>) {
  const keys: Keys = { prefix: `${randomUUID()}:` }
  return { ...keys, composer: await compose(keys) }
}

describe.each(clusterClients)('$name', ({ connect }) => {
  const records = async ({ prefix }: Keys) =>
    new StoreComposer().use(new RedisInfoStore({ client: await connect(cluster), prefix }))
  conformanceSuite({
    test,
    slots: ['infoStore', 'expiryIndex', 'infoLister', 'lifecycles'],
    factory: () => empty(records),
    another: records,
  })

  const lease = 2_000
  const locks = async ({ prefix }: Keys) =>
    new StoreComposer().use(new RedisLocker({ client: await connect(cluster), prefix, lease }))
  conformanceSuite({
    test,
    slots: ['locker', 'lifecycles'],
    factory: () => empty(locks),
    another: locks,
    lease,
  })
})
