import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { expect, test } from 'vitest'
import { RedisInfoStore, type RedisInfoStoreOptions } from '@tuskit/redis'

// The types are checked with all others of the repository.
test('all kinds of clients are accepted', () => {
  const nodes = [{ host: '127.0.0.1', port: 1 }]
  const lazy = { lazyConnect: true }
  const sentinels = { sentinels: nodes, name: 'uploads' }
  const sentinel = { sentinelRootNodes: nodes, name: 'uploads' }
  const kinds: readonly RedisInfoStoreOptions[] = [
    { client: createClient() },
    { client: createClient({ RESP: 2, database: 1 }) },
    { client: createCluster({ rootNodes: [] }) },
    { client: createSentinel(sentinel) },
    { client: new Redis(lazy) },
    { client: new Redis({ ...sentinels, ...lazy }) },
    { client: new Cluster(nodes, lazy) },
  ]
  for (const options of kinds) expect(() => new RedisInfoStore(options)).not.toThrow()
})

const client = createClient()

test.each<[object, string]>([
  [{}, "RedisInfoStore: option 'client' must be a client of redis or ioredis, not undefined"],
  [{ client: new Map() }, "option 'client' must be a client of redis or ioredis, not Map(0) {}"],
  [{ client: { get() {}, set() {} } }, "option 'client' must be a client of redis or ioredis"],
  [{ client, prefix: '' }, "option 'prefix' must be a non-empty string without braces"],
  [{ client, prefix: '{a}' }, "option 'prefix' must be a non-empty string without braces"],
  [{ client, timeout: 0 }, "option 'timeout' must be a number of milliseconds"],
  [{ client, keyPrefix: 'a' }, "there is no option 'keyPrefix'; did you mean 'prefix'"],
])('%o is refused', (options, message) => {
  expect(() => new RedisInfoStore(options as RedisInfoStoreOptions)).toThrow(message)
})
